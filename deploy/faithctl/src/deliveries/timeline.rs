//! What a delivery went through, from its receipt to its end.

use chrono::{DateTime, Utc};
use store::{
    AttemptKind, DeliveryStatus,
    records::{AttemptRecord, DeliveryRecord},
};

use crate::{
    moment,
    output::{self, Column, table},
};

/// Something that happened to a delivery.
pub(super) struct Step {
    at: DateTime<Utc>,
    what: String,
    detail: String,
}

/// The steps of a delivery, in the order of time: what was noted of it, between its receipt and its end.
pub(super) fn of(delivery: &DeliveryRecord, attempts: &[AttemptRecord]) -> Vec<Step> {
    let own = attempts.iter().filter(|attempt| attempt.delivery_id == delivery.id);
    std::iter::once(receipt(delivery)).chain(own.map(step)).chain(end(delivery, attempts)).collect()
}

/// The steps for people.
pub(super) fn text(steps: &[Step]) -> String {
    let columns = [
        Column::new("when", |step: &Step| moment::show(step.at)),
        Column::new("what", |step| step.what.clone()),
        Column::new("detail", |step| step.detail.clone()),
    ];
    table(steps, &columns, output::width())
}

fn receipt(delivery: &DeliveryRecord) -> Step {
    let signature =
        if delivery.signature_valid { "signature valid" } else { "signature not valid" };
    let is_accepted = delivery.status != DeliveryStatus::Rejected.as_str();
    let queued = if is_accepted { ", confirmed by the queue" } else { "" };
    Step {
        at: delivery.received_at,
        what: "received".to_owned(),
        detail: format!("{signature}{queued}"),
    }
}

fn step(attempt: &AttemptRecord) -> Step {
    let number = attempt.attempt;
    let kind = AttemptKind::ALL.into_iter().find(|kind| kind.as_str() == attempt.kind);
    let what = match kind {
        Some(AttemptKind::Failed) => format!("attempt {number} failed"),
        Some(AttemptKind::PutOffFirst) => "put off".to_owned(),
        Some(AttemptKind::Dead) => format!("dead after {number} attempts"),
        // What a newer version notes is shown as it is.
        Some(AttemptKind::Replayed | AttemptKind::Reopened) | None => attempt.kind.clone(),
    };
    let why = match (&attempt.cause, &attempt.reason) {
        (Some(cause), Some(reason)) => Some(format!("{reason} ({cause})")),
        (cause, reason) => reason.clone().or_else(|| cause.clone()),
    };
    let again = attempt.next_at.map(|next| format!("again at {}", moment::show(next)));
    let by = attempt.by.as_ref().map(|by| format!("by {by}"));
    let operation = attempt.operation_id.map(|operation| format!("operation {operation}"));
    let instance = attempt.instance.as_ref().map(|instance| format!("[{}]", host(instance)));
    let detail: Vec<String> = [why, again, by, operation, instance].into_iter().flatten().collect();
    Step { at: attempt.at, what, detail: detail.join("; ") }
}

/// The end that the log row tells of, where no attempt does.
fn end(delivery: &DeliveryRecord, attempts: &[AttemptRecord]) -> Option<Step> {
    let at = delivery.processed_at?;
    let is_told = |attempt: &AttemptRecord| {
        attempt.delivery_id == delivery.id && attempt.kind == AttemptKind::Dead.as_str()
    };
    if delivery.status == DeliveryStatus::Dead.as_str() && attempts.iter().any(is_told) {
        return None;
    }
    let said = [&delivery.message, &delivery.error].into_iter().flatten().cloned();
    let took = format!("{} after receipt", duration(at - delivery.received_at));
    let detail: Vec<String> = said.chain([took]).collect();
    Some(Step { at, what: delivery.status.clone(), detail: detail.join("; ") })
}

/// The machine of an instance, which its log is on; `host/id` in whole is in the JSON.
fn host(instance: &str) -> &str {
    instance.split_once('/').map_or(instance, |(host, _)| host)
}

/// `8 ms`, or in its largest unit what takes longer.
fn duration(lasted: chrono::TimeDelta) -> String {
    let milliseconds = lasted.num_milliseconds().max(0);
    if milliseconds < 10_000 { format!("{milliseconds} ms") } else { status::rough(lasted) }
}
