//! Everything that is known of an installation at a moment.

use chrono::Utc;
use database::{DatabaseConfig, DatabaseError};
use queue::WORK;
use serde::Serialize;

use super::{
    instances::Instances,
    queries::{CampusSync, DeadLetters, Flow, Run},
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
    /// The programs that run.
    pub(super) connected: Option<Instances>,
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
    /// Whether it stops the events of a campus, or of all.
    pub(crate) stops_events: bool,
}

impl Problem {
    /// Something that stops no events.
    pub(crate) fn to_look_at(summary: String, advice: String) -> Self {
        Self { summary, advice, stops_events: false }
    }
}

impl InstallationStatus {
    /// Makes what waits in the work queue part of the lag, where it is known how far the queue is taken.
    pub(super) fn count_what_is_queued(&mut self) {
        let queues = self.queues.iter().flatten();
        let queued = queues.filter(|queue| queue.name == WORK).filter_map(|queue| queue.messages);
        let taken = self.connected.as_ref().and_then(|connected| connected.events_taken_until);
        if let (Some(flow), Some(taken), 1..) = (&mut self.flow, taken, queued.sum::<u32>()) {
            let waits = (Utc::now() - taken).to_std().unwrap_or_default().as_secs_f64();
            flow.oldest_queued_seconds = Some(waits);
            flow.lag_seconds = Some(flow.lag_seconds.unwrap_or_default().max(waits));
        }
    }

    /// Reads what Postgres knows; what was read before an error stays.
    pub(super) async fn read_postgres(
        &mut self,
        database: &DatabaseConfig,
    ) -> Result<(), DatabaseError> {
        let client = database.connect().await?.client;
        self.flow = Some(Flow::load(&client).await?);
        self.dead_letters = Some(DeadLetters::load(&client).await?);
        self.runs = Some(Run::load(&client).await?);
        let instances = Instances::load(&client).await?;
        self.campuses = Some(CampusSync::load(&client, &instances).await?);
        self.connected = Some(instances);
        Ok(())
    }
}
