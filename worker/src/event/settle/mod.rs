//! The end of a delivery in this worker. A message leaves the work queue only when its end is on disk: in Postgres, or
//! in the queue that it goes to next, confirmed first. A crash between the two gives a duplicate, never a loss
//! (rule worker-1).

pub(super) mod delivery;

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use event::{DecodeError, History};
use futures_util::future::join_all;
use queue::{DeadReason, Message, Publisher, ReceivedHeaders, Route};
use rand::RngExt;
use retry::{Cause, Failure, Next, RetrySchedule};
use store::{AttemptKind, AttemptNote, Commit, DeliveryStatus, LogLine};
use tokio::sync::{RwLock, RwLockWriteGuard};
use tokio_util::sync::CancellationToken;

use crate::{
    core::bulkhead::Deferral,
    event::{event_log, job::Job, settle::delivery::WorkDelivery},
    metrics::Metrics,
    publish::publish_while,
    undecodable::route_undecodable,
    writer::{commit::Committed, session::WriteSession},
};

/// Waited in the worker, and so short: a delay queue has one delay for all.
const LONGEST_JITTER: Duration = Duration::from_millis(500);

/// An ack is a frame handed to the connection: one that takes so long has no connection any more.
const ACK_LIMIT: Duration = Duration::from_secs(5);

/// Settles deliveries, and is the only one that can ack them.
pub(crate) struct Settler {
    publisher: Publisher,
    schedule: RetrySchedule,
    metrics: Arc<Metrics>,
    /// Who notes what deliveries go through.
    instance: Arc<str>,
    /// Held to write by a drain while it stops to consume: no ack, no new delivery.
    acks: RwLock<()>,
}

/// Postgres was lost before the end could be logged: nothing was published or acked.
#[derive(Debug)]
pub(crate) struct SessionLost;

impl Settler {
    pub(crate) fn new(
        publisher: Publisher,
        schedule: RetrySchedule,
        metrics: Arc<Metrics>,
        instance: Arc<str>,
    ) -> Self {
        Self { publisher, schedule, metrics, instance, acks: RwLock::default() }
    }

    pub(crate) fn schedule(&self) -> &RetrySchedule {
        &self.schedule
    }

    /// Holds all acks back while the guard lives.
    pub(crate) async fn hold_acks(&self) -> RwLockWriteGuard<'_, ()> {
        self.acks.write().await
    }

    /// A delivery is done and logged as `status`; without one, that was so before.
    pub(crate) async fn done(&self, job: &Job, status: Option<DeliveryStatus>) {
        event_log::done(job, status);
        self.metrics.finished(&job.envelope, &job.history, status);
        self.acknowledge(job, "done").await;
    }

    /// An attempt failed: logged and delayed, or sent to the dead letters.
    pub(crate) async fn fail(
        &self,
        session: &WriteSession,
        job: &Job,
        failure: &Failure,
    ) -> Result<(), SessionLost> {
        self.metrics.failed(failure);
        match self.schedule.next(&job.history, failure, Utc::now()) {
            Next::Again(delay, history) => {
                let note = self.note(job, AttemptKind::Failed, Some(failure), delay);
                log_retrying(session, job, job.attempt(), failure.reason.clone(), note).await?;
                event_log::retrying(job, failure, &runtime::format_duration(delay));
                tokio::time::sleep(jitter(delay)).await;
                self.delay(job, delay, &history, "delayed").await;
            }
            Next::Dead(history) => {
                self.metrics.died(history.failed_attempts());
                event_log::dead(job, failure);
                let dead = DeadReason {
                    cause: failure.cause.as_str().to_owned(),
                    reason: failure.reason.clone(),
                };
                let message = Message::new(&job.envelope, Route::Dead, job.trace.context())
                    .with_history(&history)
                    .with_dead_reason(&dead);
                self.pass_on(job, message, "dead").await;
            }
        }
        Ok(())
    }

    /// Nothing was tried: delayed, and not counted as an attempt. Once its outage lasts too long, the delivery fails
    /// for the failure that its core has.
    pub(crate) async fn defer(
        &self,
        session: &WriteSession,
        job: &Job,
        deferral: &Deferral,
    ) -> Result<(), SessionLost> {
        let (delay, history, error, failure) = match deferral {
            Deferral::Unavailable(wait, failure) => {
                let Some((delay, history)) = self.schedule.defer(&job.history, *wait, Utc::now())
                else {
                    return self.fail(session, job, failure).await;
                };
                (delay, history, deferral_error(failure), Some(failure))
            }
            Deferral::Crowded(turn) => {
                let (delay, history) = self.schedule.make_room(&job.history, *turn);
                let why = "It is slow to answer, and others need the room.";
                (delay, history, format!("It waits for its campus's core. {why}"), None)
            }
            Deferral::Paused(wait) => {
                let (delay, history) = self.schedule.pause(&job.history, *wait);
                (delay, history, "Its campus is paused.".to_owned(), None)
            }
        };
        // Logged once: what circles for a day must not write a row each time.
        if history.deferrals == 1 {
            let note = self.note(job, AttemptKind::PutOffFirst, failure, delay);
            log_retrying(session, job, job.history.failed_attempts(), error, note).await?;
        }
        self.delay_deferred(job, delay, &history).await;
        Ok(())
    }

    fn note(
        &self,
        job: &Job,
        kind: AttemptKind,
        failure: Option<&Failure>,
        delay: Duration,
    ) -> AttemptNote {
        AttemptNote {
            kind,
            cause: failure.map(|failure| failure.cause.as_str()),
            delay,
            replays: job.history.replays,
            instance: Arc::clone(&self.instance),
        }
    }

    /// The delivery makes room for others while it waits for its member; its turn may be in so long.
    pub(crate) async fn make_room(&self, job: &Job, turn: Duration) {
        let (delay, history) = self.schedule.make_room(&job.history, turn);
        self.delay_deferred(job, delay, &history).await;
    }

    /// Returns a delivery to the work queue as it was: by publish and ack, since what the broker takes back by itself
    /// counts towards its delivery limit (rule worker-2).
    pub(crate) async fn give_back(&self, job: &Job) {
        event_log::returned(job);
        let message = Message::new(&job.envelope, Route::Work, job.trace.context());
        self.pass_on(job, message.with_history(&job.history), "returned").await;
    }

    /// The same for many, side by side.
    pub(crate) async fn give_back_all(&self, jobs: &[Job]) {
        join_all(jobs.iter().map(|job| self.give_back(job))).await;
    }

    /// A delivery that cannot be decoded goes on with its bytes as they are; `give_up` ends the tries, and the broker
    /// delivers it again.
    pub(crate) async fn reject_undecodable(
        &self,
        delivery: &WorkDelivery,
        headers: &ReceivedHeaders,
        error: &DecodeError,
        give_up: &CancellationToken,
    ) {
        let trace = delivery.begin_trace(headers);
        trace.span().record("error.type", Cause::InvalidEvent.as_str());
        let message = route_undecodable(&self.schedule, &headers.history, error, |route| {
            delivery.copy(route, trace.context())
        });
        tracing::error!(
            %error, delivery_id = %delivery.loggable_id(), route = message.route.key(),
            trace_id = %trace.id(), "a message cannot be read"
        );
        if publish_while(&self.publisher, message, || !give_up.is_cancelled()).await {
            delivery.acknowledge().await;
        }
    }

    async fn delay_deferred(&self, job: &Job, delay: Duration, history: &History) {
        event_log::deferred(job, history.deferrals, &runtime::format_duration(delay));
        self.delay(job, delay, history, "put_off").await;
    }

    /// Sends a delivery through a delay queue, and back to the workers.
    async fn delay(&self, job: &Job, delay: Duration, history: &History, outcome: &'static str) {
        let message = Message::new(&job.envelope, Route::Retry(delay), job.trace.context());
        self.pass_on(job, message.with_history(history), outcome).await;
    }

    /// Publishes, and acks only what was confirmed. Without the channel that the delivery came by there is no use in
    /// it: the broker delivers it again.
    async fn pass_on(&self, job: &Job, message: Message, outcome: &'static str) {
        let is_of_use = || job.delivery().is_acknowledgeable();
        if publish_while(&self.publisher, message, is_of_use).await {
            self.acknowledge(job, outcome).await;
        } else {
            event_log::redelivered(job);
            self.metrics.settled(&job.envelope, &job.history, "redelivered");
        }
    }

    async fn acknowledge(&self, job: &Job, outcome: &'static str) {
        let _open = self.acks.read().await;
        // An ack that a lost connection swallows must not keep its member busy for ever.
        let acknowledged = tokio::time::timeout(ACK_LIMIT, job.delivery().acknowledge()).await;
        let outcome = if acknowledged.unwrap_or(false) {
            outcome
        } else {
            event_log::redelivered(job);
            "redelivered"
        };
        self.metrics.settled(&job.envelope, &job.history, outcome);
    }
}

/// Notes in the delivery's row that it comes again, and why; and beside it what it went through.
async fn log_retrying(
    session: &WriteSession,
    job: &Job,
    attempts: u32,
    error: String,
    note: AttemptNote,
) -> Result<(), SessionLost> {
    let mut entry = job.entry();
    entry.attempts = attempts;
    let line = LogLine {
        entry,
        status: DeliveryStatus::Retrying,
        message: None,
        error: Some(error),
        config_version: None,
        attempt: Some(note),
    };
    let (logged, _) = session.commit(Commit::Log(line), job.trace.span()).await;
    if matches!(logged, Committed::Lost) { Err(SessionLost) } else { Ok(()) }
}

fn deferral_error(failure: &Failure) -> String {
    match failure.cause {
        Cause::Database => failure.reason.clone(),
        _ => format!("It waits for its campus's core. {}", failure.reason),
    }
}

/// Events that failed together should not all come back in the same instant.
fn jitter(delay: Duration) -> Duration {
    (delay / 10).min(LONGEST_JITTER).mul_f64(rand::rng().random_range(0.0..1.0))
}
