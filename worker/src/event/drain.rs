//! Leaving nothing behind. The worker never lets the broker take an event back by itself: that counts towards the
//! delivery limit, as if the event had crashed somebody (rule worker-2).

use std::time::Duration;

use futures_util::future::join_all;
use runtime::TraceContext;

use crate::event::{consumer::WorkConsumer, intake::Intake, settle::delivery::WorkDelivery};

/// How long what is under way at a shutdown may take; the rest then goes back to the queue, by publish and ack, within
/// the 25 s of the drain.
pub(crate) const FINISH_LIMIT: Duration = Duration::from_secs(12);
const RETURN_LIMIT: Duration = Duration::from_secs(6);

/// Takes no more than the broker has sent already, and waits until all that is held is settled, or, after the limit,
/// returned.
pub(crate) async fn drain(
    consumer: &mut WorkConsumer,
    intake: &Intake<'_>,
    finish_limit: Duration,
) {
    for delivery in consumer.cancel(&intake.worker.settler).await {
        intake.take(delivery).await;
    }
    intake.held.close();
    tracing::info!(held = intake.held.len(), "finishing what is held");
    if tokio::time::timeout(finish_limit, intake.held.wait()).await.is_ok() {
        return;
    }
    tracing::warn!(held = intake.held.len(), "returning the rest to the queue");
    if !give_back(intake, RETURN_LIMIT).await {
        tracing::error!(
            held = intake.held.len(),
            "not all could be returned, the broker takes them back"
        );
    }
}

/// Returns what the broker has sent beside a suspect, and waits until all that is held is settled.
pub(crate) async fn return_others(consumer: &mut WorkConsumer, intake: &Intake<'_>) {
    let sent = consumer.cancel(&intake.worker.settler).await;
    join_all(sent.into_iter().map(|delivery| intake.give_back(delivery))).await;
    intake.held.close();
    finish(intake).await;
}

/// Works on one delivery while nothing else is held: if it crashes the worker, it does so alone, and in the end only
/// its own count reaches the delivery limit (rule worker-16).
pub(crate) async fn work_alone(delivery: WorkDelivery, intake: &Intake<'_>) {
    if delivery.is_suspected() {
        let trace = delivery.headers().traceparent;
        let trace = trace.as_deref().and_then(TraceContext::parse).map(|trace| trace.trace_id());
        tracing::warn!(
            delivery_id = delivery.loggable_id(),
            trace_id = trace.map(tracing::field::display),
            "an event that came back too often is worked on alone"
        );
    }
    intake.held.reopen();
    intake.take(delivery).await;
    intake.held.close();
    finish(intake).await;
}

/// Waits until all that is held is settled, however long that takes; after a shutdown, no longer than a drain does.
async fn finish(intake: &Intake<'_>) {
    tokio::select! {
        () = intake.held.wait() => return,
        () = intake.shutdown.cancelled() => {}
    }
    if tokio::time::timeout(FINISH_LIMIT / 2, intake.held.wait()).await.is_err() {
        give_back(intake, RETURN_LIMIT / 2).await;
    }
}

/// Has whatever is held return to the queue; false where it has not within the limit.
async fn give_back(intake: &Intake<'_>, limit: Duration) -> bool {
    let signal = &intake.worker.give_back;
    signal.raise();
    let is_returned = tokio::time::timeout(limit, intake.held.wait()).await.is_ok();
    signal.renew();
    is_returned
}
