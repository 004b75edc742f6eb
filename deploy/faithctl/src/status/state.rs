//! Everything that is known of an installation at a moment.

use database::{DatabaseConfig, DatabaseError};
use serde::Serialize;

use super::{
    queries::{CampusSync, Connected, DeadLetters, Flow, Run},
    queues::QueueState,
};

/// Everything there is to say now; a part is none where it could not be asked.
#[derive(Debug, Default, Serialize)]
pub(crate) struct InstallationStatus {
    /// Programs that consume the work queue.
    pub(super) workers: Option<u32>,
    pub(super) queues: Option<Vec<QueueState>>,
    pub(super) flow: Option<Flow>,
    pub(super) dead_letters: Option<Vec<DeadLetters>>,
    pub(super) runs: Option<Vec<Run>>,
    pub(super) campuses: Option<Vec<CampusSync>>,
    pub(super) connected: Option<Connected>,
    /// What somebody should look at, the worst first.
    pub(super) attention: Vec<Problem>,
    /// What could not be asked, and why.
    #[serde(rename = "problems")]
    pub(super) unavailable: Vec<String>,
}

/// Something to look at.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    /// What it is, in a sentence.
    #[serde(rename = "matter")]
    pub(crate) summary: String,
    /// What to do about it.
    pub(crate) advice: String,
}

impl InstallationStatus {
    /// Reads what Postgres knows; what was read before an error stays.
    pub(super) async fn read_postgres(
        &mut self,
        database: &DatabaseConfig,
    ) -> Result<(), DatabaseError> {
        let client = database.connect().await?.client;
        self.flow = Some(Flow::load(&client).await?);
        self.dead_letters = Some(DeadLetters::load(&client).await?);
        self.runs = Some(Run::load(&client).await?);
        self.campuses = Some(CampusSync::load(&client).await?);
        self.connected = Some(Connected::load(&client).await?);
        Ok(())
    }
}
