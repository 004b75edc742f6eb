//! From the work queue into the worker's hands, and a drain that leaves nothing behind.

use std::time::Duration;

use event::Envelope;
use futures_util::StreamExt;
use queue::{
    QueueError, ReceivedHeaders, WORK,
    lapin::{
        Channel, Connection, Consumer,
        message::Delivery,
        options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions},
        types::FieldTable,
    },
};
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Worker, job::Job, settle};

/// How long a shutdown waits for what the broker sent before it heard of it.
const CANCEL_LIMIT: Duration = Duration::from_secs(3);
/// Nothing is on its way when nothing came for so long.
const QUIET: Duration = Duration::from_millis(100);
/// How long what is under way at a shutdown may take; the rest then goes back to the queue, by
/// publish and ack, within the 25 s of the drain.
const FINISH_LIMIT: Duration = Duration::from_secs(12);
const RETURN_LIMIT: Duration = Duration::from_secs(6);

/// What a consumer needs beside its connection.
pub(crate) struct Intake {
    pub(crate) prefetch: u16,
    pub(crate) jobs: mpsc::Sender<Job>,
    pub(crate) shutdown: CancellationToken,
    /// Cancelled when what is held must go back to the queue unfinished.
    pub(crate) give_back: CancellationToken,
}

/// Consumes on one connection until it is lost, or drained after a shutdown.
pub(crate) async fn consume(
    connection: Connection,
    worker: &Worker,
    intake: &Intake,
) -> Result<(), QueueError> {
    let channel = open(&connection, intake.prefetch).await?;
    let mut consumer = start(&channel, WORK).await?;
    // Acks go by the channel that a delivery came by, so each connection is drained by itself.
    let held = TaskTracker::new();
    tracing::info!(queue = WORK, prefetch = intake.prefetch, "consuming");
    loop {
        let delivery = tokio::select! {
            () = intake.shutdown.cancelled() => break,
            delivery = consumer.next() => delivery,
        };
        let delivery = match delivery {
            Some(Ok(delivery)) => delivery,
            Some(Err(source)) => return Err(QueueError::during("consume events")(source)),
            None => return Ok(()),
        };
        take(delivery, worker, intake, &held).await;
    }
    drain(&channel, consumer, worker, intake, held).await;
    connection
        .close(200, "drained".into())
        .await
        .map_err(QueueError::during("close the connection"))
}

/// Hands a delivery to admission.
async fn take(delivery: Delivery, worker: &Worker, intake: &Intake, held: &TaskTracker) {
    let headers = ReceivedHeaders::read(&delivery.properties);
    let envelope = match Envelope::decode(&delivery.data) {
        Ok(envelope) => envelope,
        Err(error) => return bury_undecodable(worker, delivery, &error).await,
    };
    let job = Job::new(envelope, headers, delivery, held.token());
    worker.metrics.received(&job);
    tokio::select! {
        biased;
        Ok(room) = intake.jobs.reserve() => room.send(job),
        // Admission holds everything for Postgres: a shutdown does not wait for it.
        () = intake.shutdown.cancelled() => {
            tokio::time::timeout(CANCEL_LIMIT, settle::give_back(worker, &job)).await.ok();
        }
    }
}

/// Takes no more than the broker has sent already, and waits until all that is held is settled.
async fn drain(
    channel: &Channel,
    mut consumer: Consumer,
    worker: &Worker,
    intake: &Intake,
    held: TaskTracker,
) {
    let stop = async {
        // What the broker sends and nobody takes it returns to the queue, and counts that towards
        // the delivery limit. It sends on until the cancellation has reached the queue, and lapin
        // drops what comes after its confirmation. So hold the acks, which make room for more, and
        // cancel when nothing is on its way.
        let _closed = worker.acks.write().await;
        while let Ok(Some(Ok(delivery))) = tokio::time::timeout(QUIET, consumer.next()).await {
            take(delivery, worker, intake, &held).await;
        }
        channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await.ok();
        while let Some(Ok(delivery)) = consumer.next().await {
            take(delivery, worker, intake, &held).await;
        }
    };
    tokio::time::timeout(CANCEL_LIMIT, stop).await.ok();
    held.close();
    tracing::info!(held = held.len(), "finishing what is held");
    if tokio::time::timeout(FINISH_LIMIT, held.wait()).await.is_ok() {
        return;
    }
    tracing::warn!(held = held.len(), "returning the rest to the queue");
    intake.give_back.cancel();
    tokio::time::timeout(RETURN_LIMIT, held.wait()).await.ok();
}

/// A message that no version of this program can read is a dead letter at once: it would come
/// back for ever otherwise.
async fn bury_undecodable(worker: &Worker, delivery: Delivery, error: &event::DecodeError) {
    tracing::error!(%error, "a message that is no event goes to the dead letters");
    let message = settle::undecodable(&delivery, error);
    if settle::publish(&worker.publisher, message, &worker.give_back).await {
        delivery.ack(queue::lapin::options::BasicAckOptions::default()).await.ok();
    }
}

/// A channel with its own prefetch; quorum queues refuse a global one.
pub(crate) async fn open(connection: &Connection, prefetch: u16) -> Result<Channel, QueueError> {
    let channel =
        connection.create_channel().await.map_err(QueueError::during("open a channel"))?;
    channel
        .basic_qos(prefetch, BasicQosOptions::default())
        .await
        .map_err(QueueError::during("set the prefetch"))?;
    Ok(channel)
}

/// Starts to consume; the broker names the consumer.
pub(crate) async fn start(channel: &Channel, queue: &str) -> Result<Consumer, QueueError> {
    channel
        .basic_consume(
            queue.into(),
            "".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await
        .map_err(QueueError::during("start to consume"))
}
