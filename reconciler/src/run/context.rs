//! What runs work with.

use std::sync::Arc;

use campus_core::CampusCores;
use chrono::{DateTime, Utc};
use database::{Client, DatabaseConfig, Pool};
use store::Session;
use tokio_util::sync::CancellationToken;

use crate::{
    core_retry::Core,
    report::{
        progress::{Progress, Terminal},
        sync_log::Permit,
        under_way::RunsUnderWay,
    },
    run::campus::Campus,
};

/// What all runs of the process share.
pub(crate) struct RunContext {
    pub(crate) database: DatabaseConfig,
    pub(crate) pool: Pool,
    pub(crate) cores: CampusCores,
    pub(crate) terminal: Terminal,
    pub(crate) under_way: RunsUnderWay,
    pub(crate) stop: CancellationToken,
}

/// What one run reads from, the same from its beginning to its end. What it writes to and counts is handed to
/// each step beside this.
pub(crate) struct Run {
    pub(crate) campus: Campus,
    pub(crate) core: Arc<Core>,
    /// Holds the campus's lock and the staged list, and draws numbers.
    pub(crate) session: Arc<Session>,
    pub(crate) now: DateTime<Utc>,
    /// What an operator let through.
    pub(crate) permit: Option<Permit>,
    pub(crate) progress: Progress,
}

impl Run {
    /// The session's connection, with the staged list.
    pub(crate) fn client(&self) -> &Client {
        self.session.client()
    }
}
