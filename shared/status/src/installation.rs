//! Everything that is known of an installation at a moment.

use chrono::Utc;
use database::{Client, DatabaseError};
use serde::Serialize;

use crate::{
    campus_sync::CampusSync,
    instances::Instances,
    problem::Problem,
    queries::{DeadLetters, Flow, Retrying, Run},
    queues::{QueueKind, QueueState},
};

/// Everything there is to say now; a part is none where it could not be asked.
#[derive(Debug, Default, Serialize)]
pub struct InstallationStatus {
    /// Programs that consume the work queue.
    pub workers: Option<u32>,
    /// The queues, as RabbitMQ counts them.
    pub queues: Option<Vec<QueueState>>,
    /// The flow of events in the last minutes.
    pub flow: Option<Flow>,
    /// Dead letters that wait, by cause.
    pub dead_letters: Option<Vec<DeadLetters>>,
    /// The last run of each campus.
    pub runs: Option<Vec<Run>>,
    /// Each campus, by name.
    pub campuses: Option<Vec<CampusSync>>,
    /// The programs that run.
    pub connected: Option<Instances>,
    /// What somebody should look at, the worst first.
    pub attention: Vec<Problem>,
    /// What could not be asked, and why.
    #[serde(rename = "problems")]
    pub unavailable: Vec<String>,
}

impl InstallationStatus {
    /// Makes what waits in the work queue part of the lag, where it is known how far the queue is taken.
    pub fn count_what_is_queued(&mut self) {
        let queues = self.queues.iter().flatten();
        let queued =
            queues.filter(|queue| queue.kind == QueueKind::Work).filter_map(|queue| queue.messages);
        let taken = self.connected.as_ref().and_then(|connected| connected.events_taken_until);
        if let (Some(flow), Some(taken), 1..) = (&mut self.flow, taken, queued.sum::<u32>()) {
            let waits = (Utc::now() - taken).to_std().unwrap_or_default().as_secs_f64();
            flow.oldest_queued_seconds = Some(waits);
            flow.lag_seconds = Some(flow.lag_seconds.unwrap_or_default().max(waits));
        }
    }

    /// Reads what Postgres knows; what was read before an error stays.
    pub async fn read_postgres(&mut self, client: &Client) -> Result<(), DatabaseError> {
        let retrying = Retrying::load(client).await?;
        self.flow = Some(Flow::load(client, &retrying).await?);
        self.dead_letters = Some(DeadLetters::load(client).await?);
        self.runs = Some(Run::load(client).await?);
        let instances = Instances::load(client).await?;
        self.campuses = Some(CampusSync::load(client, &instances, &retrying).await?);
        self.connected = Some(instances);
        Ok(())
    }
}
