//! Leaving nothing behind. The worker never lets the broker take an event back by itself: that
//! counts towards the delivery limit, as if the event had crashed somebody (CORRECTNESS §6).

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, future::join_all};
use queue::{
    ReceivedHeaders,
    lapin::{Channel, Consumer, message::Delivery, options::BasicCancelOptions},
};
use runtime::TraceContext;
use tokio_util::task::TaskTracker;

use crate::{
    Worker,
    event::{
        consume::{self, Intake},
        settle,
    },
};

/// How long a drain waits for what the broker sent before it heard of it.
const CANCEL_LIMIT: Duration = Duration::from_secs(3);
/// Nothing is on its way when nothing came for so long.
const QUIET: Duration = Duration::from_millis(100);
/// How long what is under way at a shutdown may take; the rest then goes back to the queue, by
/// publish and ack, within the 25 s of the drain.
pub(crate) const FINISH_LIMIT: Duration = Duration::from_secs(12);
const RETURN_LIMIT: Duration = Duration::from_secs(6);

/// Takes no more than the broker has sent already, and waits until all that is held is settled,
/// or, after the limit, returned.
pub(crate) async fn drain(
    channel: &Channel,
    mut consumer: Consumer,
    worker: &Worker,
    intake: &Intake,
    held: TaskTracker,
    finish_limit: Duration,
) {
    for delivery in cancel(channel, &mut consumer, worker).await {
        consume::take(delivery, worker, intake, &held).await;
    }
    held.close();
    tracing::info!(held = held.len(), "finishing what is held");
    if tokio::time::timeout(finish_limit, held.wait()).await.is_ok() {
        return;
    }
    tracing::warn!(held = held.len(), "returning the rest to the queue");
    worker.give_back.load().cancel();
    if tokio::time::timeout(RETURN_LIMIT, held.wait()).await.is_err() {
        tracing::error!(held = held.len(), "not all could be returned, the broker takes them back");
    }
    worker.give_back.store(Arc::default());
}

/// Works on one delivery while nothing else is held: if it crashes the worker, it does so alone,
/// and in the end only its own count reaches the delivery limit. The others go back to the queue.
pub(crate) async fn alone(
    suspect: Delivery,
    channel: &Channel,
    mut consumer: Consumer,
    worker: &Worker,
    intake: &Intake,
    held: TaskTracker,
) {
    let returned = cancel(channel, &mut consumer, worker).await.into_iter().map(async |delivery| {
        if let Some(job) = consume::read(delivery, worker, &held) {
            settle::give_back(worker, &job).await;
        }
    });
    join_all(returned).await;
    held.close();
    finish(worker, intake, &held).await;
    let trace = ReceivedHeaders::read(&suspect.properties).traceparent;
    let trace = trace.as_deref().and_then(TraceContext::parse).map(|trace| trace.trace_id());
    tracing::warn!(
        delivery_id = settle::id_of(&suspect),
        trace_id = trace.map(tracing::field::display),
        "an event that came back too often is worked on alone"
    );
    held.reopen();
    consume::take(suspect, worker, intake, &held).await;
    held.close();
    finish(worker, intake, &held).await;
}

/// Waits until all that is held is settled, however long that takes; after a shutdown, no longer
/// than a drain does.
async fn finish(worker: &Worker, intake: &Intake, held: &TaskTracker) {
    tokio::select! {
        () = held.wait() => return,
        () = intake.shutdown.cancelled() => {}
    }
    if tokio::time::timeout(FINISH_LIMIT / 2, held.wait()).await.is_err() {
        worker.give_back.load().cancel();
        tokio::time::timeout(RETURN_LIMIT / 2, held.wait()).await.ok();
        worker.give_back.store(Arc::default());
    }
}

/// Stops to consume, and answers what the broker had sent by then.
async fn cancel(channel: &Channel, consumer: &mut Consumer, worker: &Worker) -> Vec<Delivery> {
    let mut sent = Vec::new();
    let stop = async {
        // What the broker sends and nobody takes it returns to the queue, and counts. It sends on
        // until the cancellation has reached the queue, and lapin drops what comes after its
        // confirmation. So hold the acks, which make room for more, and cancel when nothing is on
        // its way.
        let _closed = worker.acks.write().await;
        while let Ok(Some(Ok(delivery))) = tokio::time::timeout(QUIET, consumer.next()).await {
            sent.push(delivery);
        }
        channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await.ok();
        while let Some(Ok(delivery)) = consumer.next().await {
            sent.push(delivery);
        }
    };
    tokio::time::timeout(CANCEL_LIMIT, stop).await.ok();
    sent
}
