//! The one place that acks. A message leaves the work queue only when its end is on disk: in
//! Postgres, or in the queue that it goes to next, confirmed first. A crash between the two gives
//! a duplicate, never a loss.

use std::time::Duration;

use chrono::Utc;
use event::{DecodeError, History};
use queue::{
    DeadReason, Message, Publisher, ReceivedHeaders, Route,
    lapin::{message::Delivery, types::ShortString},
};
use rand::RngExt;
use retry::{Cause, Failure, FailureKind, Next, RetrySchedule};
use runtime::Trace;
use store::{Commit, DeliveryStatus, LogLine};
use tokio_util::sync::CancellationToken;

use crate::{
    Worker,
    core::bulkhead::PutOff,
    event::{admit::Ticket, event_log, job::Job, process::Fate},
    writer::commit::Committed,
};

/// Held in the worker's hands, and so short: a delay queue has one delay for all.
const LONGEST_JITTER: Duration = Duration::from_millis(500);

/// An ack is a frame handed to the connection: one that takes so long has no connection any more.
const ACK_LIMIT: Duration = Duration::from_secs(5);

/// Between tries to publish while RabbitMQ takes nothing.
const PUBLISH_PAUSE: Duration = Duration::from_millis(200);

/// Settles a delivery that is done, and logged as `status`.
pub(crate) async fn done(worker: &Worker, job: &Job, status: Option<DeliveryStatus>) {
    event_log::done(job, status);
    worker.metrics.finished(job, status);
    acknowledge(worker, job, "done").await;
}

/// Settles a failed delivery: logged and delayed, or sent to the dead letters. Answers `Again`
/// when Postgres was lost before it could be logged.
pub(crate) async fn fail(worker: &Worker, ticket: &Ticket, job: &Job, failure: Failure) -> Fate {
    worker.metrics.failed(&failure);
    match worker.schedule.next(&job.history, &failure, Utc::now()) {
        Next::Again(delay, history) => {
            let line = LogLine {
                entry: job.entry(),
                status: DeliveryStatus::Retrying,
                message: None,
                error: Some(failure.reason.clone()),
                config_version: None,
            };
            let (logged, _) = ticket.live.commit(Commit::Log(line), job.trace.span()).await;
            if matches!(logged, Committed::Lost) {
                return Fate::Again { ask: false, void: true };
            }
            event_log::retrying(job, &failure, &runtime::format_duration(delay));
            tokio::time::sleep(jitter(delay)).await;
            delay_by(worker, job, delay, &history, "delayed").await;
        }
        Next::Dead(history) => {
            worker.metrics.died(history.failed_attempts());
            event_log::dead(job, &failure);
            let dead = DeadReason {
                cause: failure.cause.as_str().to_owned(),
                reason: failure.reason.clone(),
            };
            let message = Message::new(&job.envelope, Route::Dead, job.trace.context())
                .with_history(&history)
                .with_dead_reason(&dead);
            pass_on(worker, job, message, "dead").await;
        }
    }
    Fate::Failed(failure)
}

/// Settles a delivery that nothing was tried for: delayed, and not counted as an attempt. Once its
/// patience with an outage is over, it fails for the trouble that its core is in.
pub(crate) async fn put_off(worker: &Worker, ticket: &Ticket, job: &Job, off: PutOff) -> Fate {
    let (delay, history, why) = match &off {
        PutOff::Shut(wait, trouble) => {
            match worker.schedule.defer(&job.history, *wait, Utc::now()) {
                Some((delay, history)) => (delay, history, trouble.reason.as_str()),
                None => return fail(worker, ticket, job, trouble.clone()).await,
            }
        }
        PutOff::Crowded(turn) => {
            let (delay, history) = worker.schedule.make_room(&job.history, *turn);
            (delay, history, "It is slow to answer, and others need the room.")
        }
    };
    // Told once: what circles for a day must not write a row each time.
    if history.deferrals == 1 {
        let mut entry = job.entry();
        entry.attempts = job.history.failed_attempts();
        let error = match &off {
            PutOff::Shut(_, trouble) if trouble.cause == Cause::Database => why.to_owned(),
            _ => format!("It waits for its campus's core. {why}"),
        };
        let line = LogLine {
            entry,
            status: DeliveryStatus::Retrying,
            message: None,
            error: Some(error),
            config_version: None,
        };
        let (logged, _) = ticket.live.commit(Commit::Log(line), job.trace.span()).await;
        if matches!(logged, Committed::Lost) {
            return Fate::Again { ask: false, void: true };
        }
    }
    bounce(worker, job, delay, &history).await;
    Fate::PutOff(off)
}

/// Sends a delivery that nothing was tried for through a delay queue.
pub(crate) async fn bounce(worker: &Worker, job: &Job, delay: Duration, history: &History) {
    event_log::put_off(job, history.deferrals, &runtime::format_duration(delay));
    delay_by(worker, job, delay, history, "put_off").await;
}

/// Sends a delivery through a delay queue, and back to the workers.
async fn delay_by(
    worker: &Worker,
    job: &Job,
    delay: Duration,
    history: &History,
    outcome: &'static str,
) {
    let message = Message::new(&job.envelope, Route::Retry(delay), job.trace.context());
    pass_on(worker, job, message.with_history(history), outcome).await;
}

/// Events that failed together should not all come back in the same instant.
fn jitter(delay: Duration) -> Duration {
    (delay / 10).min(LONGEST_JITTER).mul_f64(rand::rng().random_range(0.0..1.0))
}

/// Returns a delivery to the work queue as it was.
pub(crate) async fn give_back(worker: &Worker, job: &Job) {
    event_log::returned(job);
    let message = Message::new(&job.envelope, Route::Work, job.trace.context());
    pass_on(worker, job, message.with_history(&job.history), "returned").await;
}

/// Publishes, and acks only what was confirmed.
async fn pass_on(worker: &Worker, job: &Job, message: Message, outcome: &'static str) {
    if publish_while(&worker.publisher, message, || job.is_acknowledgeable()).await {
        acknowledge(worker, job, outcome).await;
    } else {
        event_log::redelivered(job);
        worker.metrics.settled("redelivered");
    }
}

async fn acknowledge(worker: &Worker, job: &Job, outcome: &'static str) {
    let _open = worker.acks.read().await;
    // An ack that a lost connection swallows must not keep its member busy for ever.
    let acknowledged = tokio::time::timeout(ACK_LIMIT, job.acknowledge()).await;
    let outcome = if acknowledged.unwrap_or(false) {
        outcome
    } else {
        event_log::redelivered(job);
        "redelivered"
    };
    worker.metrics.settled(outcome);
}

/// The message's id, for log lines; a stranger's is cut short.
pub(crate) fn id_of(delivery: &Delivery) -> &str {
    let id = delivery.properties.message_id().as_ref().map_or("none", |id| id.as_str());
    if id.len() <= 64 { id } else { "too long" }
}

/// The way of what this version cannot read, its bytes as they are. What a newer one has written
/// waits as for an outage: during an upgrade a newer worker takes it. Anything else is a dead letter.
pub(crate) fn unreadable(
    schedule: &RetrySchedule,
    delivery: &Delivery,
    headers: &ReceivedHeaders,
    error: &DecodeError,
    trace: &Trace,
) -> Message {
    let message = |route| bytes(delivery, route, trace);
    let reason = format!("The message could not be read: {error}.");
    let dead =
        DeadReason { cause: Cause::InvalidEvent.as_str().to_owned(), reason: reason.clone() };
    if !matches!(error, DecodeError::Version(_)) {
        return message(Route::Dead).with_dead_reason(&dead);
    }
    let failure = Failure::new(Cause::InvalidEvent, FailureKind::Outage, reason);
    match schedule.next(&headers.history, &failure, Utc::now()) {
        Next::Again(delay, history) => message(Route::Retry(delay)).with_history(&history),
        Next::Dead(history) => message(Route::Dead).with_history(&history).with_dead_reason(&dead),
    }
}

/// A message with the bytes of a delivery.
pub(crate) fn bytes(delivery: &Delivery, route: Route, trace: &Trace) -> Message {
    let id = delivery.properties.message_id().as_ref().map(ShortString::as_str);
    Message::of_bytes(delivery.data.clone(), id, route, trace.context())
}

/// Publishes until it is confirmed; false when `give_up` came first.
pub(crate) async fn publish(
    publisher: &Publisher,
    message: Message,
    give_up: &CancellationToken,
) -> bool {
    publish_while(publisher, message, || !give_up.is_cancelled()).await
}

/// Publishes until it is confirmed, or until there is no more use in it: the channel that the
/// message came by is gone, and the broker brings it again.
async fn publish_while(
    publisher: &Publisher,
    message: Message,
    is_of_use: impl Fn() -> bool,
) -> bool {
    loop {
        match publisher.publish(message.clone()).await {
            Ok(()) => return true,
            Err(error) if is_of_use() => tracing::debug!(%error, "a message waits to be published"),
            Err(_) => return false,
        }
        tokio::time::sleep(PUBLISH_PAUSE).await;
    }
}
