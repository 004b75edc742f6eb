//! From a channel of the work queue into the worker's hands.

use std::time::Duration;

use event::Envelope;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    context::WorkerContext,
    event::{job::Job, settle::delivery::WorkDelivery},
};
use std::sync::Arc;

/// How long a delivery may wait to be returned at a shutdown.
const RETURN_LIMIT: Duration = Duration::from_secs(3);

/// Where the deliveries of one channel go.
pub(crate) struct Intake<'a> {
    pub(crate) worker: &'a Arc<WorkerContext>,
    pub(crate) jobs: &'a mpsc::Sender<Job>,
    pub(crate) shutdown: &'a CancellationToken,
    /// What came by the channel and is not settled. Acks go by the channel that a delivery came by, so each is drained
    /// by itself.
    pub(crate) held: TaskTracker,
}

impl Intake<'_> {
    /// Hands a delivery to admission.
    pub(crate) async fn take(&self, delivery: WorkDelivery) {
        let Some(job) = self.read(delivery) else { return };
        tokio::select! {
            biased;
            Ok(room) = self.jobs.reserve() => room.send(job),
            // Admission holds everything for Postgres: a shutdown does not wait for it.
            () = self.shutdown.cancelled() => {
                let returned = self.worker.settler.give_back(&job);
                tokio::time::timeout(RETURN_LIMIT, returned).await.ok();
            }
        }
    }

    /// Returns a delivery to the work queue.
    pub(crate) async fn give_back(&self, delivery: WorkDelivery) {
        if let Some(job) = self.read(delivery) {
            self.worker.settler.give_back(&job).await;
        }
    }

    /// The job that a delivery is. One that this program cannot read goes on without it.
    fn read(&self, delivery: WorkDelivery) -> Option<Job> {
        let headers = delivery.headers();
        match Envelope::decode(delivery.body()) {
            Ok(envelope) => {
                let job = Job::new(envelope, headers, delivery, self.held.token());
                self.worker.metrics.received(&job.envelope, &job.history);
                Some(job)
            }
            Err(error) => {
                // Beside those that can: many of them must not hold the others up.
                let (worker, token) = (Arc::clone(self.worker), self.held.token());
                let give_up = worker.give_back.token();
                tokio::spawn(async move {
                    let settler = &worker.settler;
                    settler.reject_undecodable(&delivery, &headers, &error, &give_up).await;
                    drop(token);
                });
                None
            }
        }
    }
}
