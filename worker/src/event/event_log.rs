//! Log lines of events: one for each end that an event comes to here, found by any of its ids, and the same in its span.

use retry::Failure;
use store::DeliveryStatus;

use crate::event::job::Job;

/// A line about an event: which one, in whose trace, what became of it, and how long that took.
macro_rules! log_event {
    ($level:ident, $job:expr, $outcome:expr, $($rest:tt)+) => {
        tracing::$level!(
            event_id = $job.envelope.event_id.as_str(),
            delivery_id = %$job.envelope.delivery_id,
            campus_id = %$job.envelope.campus_id,
            event_type = $job.envelope.event_type.label(),
            outcome = $outcome,
            attempt = $job.attempt(),
            duration_ms = $job.milliseconds_here(),
            since_receipt_ms = $job.milliseconds_since_receipt(),
            trace_id = %$job.trace.id(),
            $($rest)+
        )
    };
}

/// It came to a good end. No status: it had come to one before, and the broker delivered it again.
pub(crate) fn done(job: &Job, status: Option<DeliveryStatus>) {
    let outcome = status.map_or("done_before", DeliveryStatus::as_str);
    ended(job, outcome, "OK");
    log_event!(info, job, outcome, "an event is done");
}

/// An attempt failed and another follows.
pub(crate) fn retrying(job: &Job, failure: &Failure, delay: &str) {
    failed(job, "retrying", failure);
    let (cause, reason) = (failure.cause.as_str(), failure.reason.as_str());
    log_event!(warn, job, "retrying", cause, reason, delay, "an event failed and is tried again");
}

/// No attempt follows.
pub(crate) fn dead(job: &Job, failure: &Failure) {
    failed(job, "dead", failure);
    let (cause, reason) = (failure.cause.as_str(), failure.reason.as_str());
    log_event!(warn, job, "dead", cause, reason, "an event goes to the dead letters");
}

/// Nothing was tried: its campus's core is not asked now, or somebody has locked its row. What circles for a day is
/// written once, and at debug from then on.
pub(crate) fn deferred(job: &Job, deferrals: u32, delay: &str) {
    ended(job, "put_off", "OK");
    if deferrals == 1 {
        log_event!(info, job, "put_off", delay, "an event is deferred");
    } else {
        log_event!(debug, job, "put_off", delay, deferrals, "an event is deferred again");
    }
}

/// It goes back to the queue as it was.
pub(crate) fn returned(job: &Job) {
    ended(job, "returned", "OK");
    log_event!(debug, job, "returned", "an event is returned to the queue");
}

/// It could not be settled: the channel that it came by is gone, and the broker delivers it again.
pub(crate) fn redelivered(job: &Job) {
    job.trace.span().record("faithtracker.outcome", "redelivered");
    log_event!(debug, job, "redelivered", "an event is delivered again by the broker");
}

/// Its member's photo is not one that is kept.
pub(crate) fn photo_refused(job: &Job, refusal: &dyn std::fmt::Display) {
    tracing::warn!(
        event_id = job.envelope.event_id.as_str(),
        delivery_id = %job.envelope.delivery_id,
        campus_id = %job.envelope.campus_id,
        trace_id = %job.trace.id(),
        %refusal,
        "a photo is not kept"
    );
}

fn failed(job: &Job, outcome: &'static str, failure: &Failure) {
    job.trace.span().record("error.type", failure.cause.as_str());
    ended(job, outcome, "ERROR");
}

fn ended(job: &Job, outcome: &'static str, status: &'static str) {
    let span = job.trace.span();
    span.record("faithtracker.outcome", outcome);
    span.record("otel.status_code", status);
}
