//! Deliveries that share one read of the core.

use std::{collections::HashMap, sync::Arc};

use store::{CampusConfig, ConfigError, DeliveryState};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{
    event::job::{Job, MemberKey},
    writer::session::WriteSession,
};

/// All deliveries that waited for the same member. One group a member is under way in a worker, from draw to commit
/// (rule worker-3).
#[derive(Debug)]
pub(crate) struct Group {
    /// None for tests and unknown types, which are alone.
    pub(crate) key: Option<MemberKey>,
    pub(crate) jobs: Vec<Job>,
    /// The number first drawn, where a later read of ours was refused.
    pub(crate) first_drawn: Option<i64>,
    /// A delete that could not be taken at its word.
    pub(crate) must_ask: bool,
}

impl Group {
    pub(crate) fn new(key: Option<MemberKey>) -> Self {
        Self { key, jobs: Vec::new(), first_drawn: None, must_ask: false }
    }
}

/// A group with what Postgres answered about it.
pub(crate) struct AdmittedGroup {
    pub(crate) group: Group,
    /// Drawn before any read that the group leads to; good on `session` only (rule worker-4).
    pub(crate) number: i64,
    /// The session that drew it and must commit.
    pub(crate) session: Arc<WriteSession>,
    /// The campus's configuration now; none where no sync is configured.
    pub(crate) campus: Option<Arc<Result<CampusConfig, ConfigError>>>,
    /// Where each delivery of the group's batch stands, by its id.
    pub(crate) states: Arc<HashMap<Uuid, DeliveryState>>,
}

impl AdmittedGroup {
    /// Where a delivery stands before anything is done for it.
    pub(crate) fn state(&self, job: &Job) -> Option<DeliveryState> {
        self.states.get(&job.envelope.delivery_id).copied()
    }

    /// The number first drawn for the group's deliveries.
    pub(crate) fn first_drawn(&self) -> i64 {
        self.group.first_drawn.unwrap_or(self.number)
    }
}

/// What a group says when it leaves processing.
pub(crate) enum GroupDone {
    /// All its deliveries are settled.
    Settled(Option<MemberKey>),
    /// It needs a new number and a new read.
    ReadAgain(Group),
}

/// Where groups report to when they leave.
pub(crate) type DoneSender = mpsc::UnboundedSender<GroupDone>;
