//! The collector: from the dead queue, which survives Postgres being away, into `dead_letters`,
//! where an operator can group, filter and replay.

mod letter;

use std::time::Duration;

use database::{DatabaseError, Fault, Pool, answered, fault};
use futures_util::{FutureExt, StreamExt};
use queue::{
    DEAD, QueueError,
    lapin::{
        Connection, Consumer,
        message::Delivery,
        options::{BasicAckOptions, BasicCancelOptions},
    },
};
use store::dead_letters::{DeadLetter, collect as store_letters};
use tokio_util::sync::CancellationToken;

use crate::{consume, metrics::Metrics};

/// Letters held at once, and stored in one transaction where so many wait.
const PREFETCH: u16 = 256;
const POSTGRES_PAUSE: Duration = Duration::from_secs(1);
/// How long a drain may take to store what is held; the broker brings the rest again.
const FINISH_LIMIT: Duration = Duration::from_secs(5);

/// Collects on one connection until it is lost or `stop`.
pub(crate) async fn collect(
    connection: Connection,
    pool: &Pool,
    metrics: &Metrics,
    stop: &CancellationToken,
) -> Result<(), QueueError> {
    let channel = consume::open(&connection, PREFETCH).await?;
    let mut consumer = consume::start(&channel, DEAD).await?;
    loop {
        let first = tokio::select! {
            () = stop.cancelled() => break,
            delivery = consumer.next() => delivery,
        };
        let first = match first {
            Some(Ok(delivery)) => delivery,
            Some(Err(source)) => return Err(QueueError::during("consume dead letters")(source)),
            None => return Ok(()),
        };
        let batch = with_what_waits(first, &mut consumer);
        let stored = tokio::select! {
            () = overdue(stop) => break,
            stored = store(pool, &batch, metrics) => stored,
        };
        stored?;
    }
    // What the broker has sent already is stored too, where that is quick: what is returned to the
    // queue counts as a delivery that failed, and RabbitMQ 4 gives a message up after some of them.
    let drain = async {
        channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await.ok();
        while let Some(Ok(first)) = consumer.next().await {
            let batch = with_what_waits(first, &mut consumer);
            store(pool, &batch, metrics).await?;
        }
        Ok(())
    };
    tokio::time::timeout(FINISH_LIMIT, drain).await.unwrap_or(Ok(()))?;
    connection
        .close(200, "stopped".into())
        .await
        .map_err(QueueError::during("close the connection"))
}

/// Some time after `stop`: what is under way may still end well.
async fn overdue(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(FINISH_LIMIT).await;
}

/// A batch of all that is here already; nothing is waited for.
fn with_what_waits(first: Delivery, consumer: &mut Consumer) -> Vec<Delivery> {
    let mut batch = vec![first];
    while batch.len() < usize::from(PREFETCH) {
        // An error comes again as the end of the stream.
        let Some(Some(Ok(delivery))) = consumer.next().now_or_never() else { break };
        batch.push(delivery);
    }
    batch
}

/// Stores a batch, however long that takes: it is held in the queue meanwhile. Then acks.
async fn store(pool: &Pool, batch: &[Delivery], metrics: &Metrics) -> Result<(), QueueError> {
    let mut letters: Vec<DeadLetter> = batch.iter().map(letter::read).collect();
    while let Err(error) = answered(try_store(pool, &mut letters)).await {
        tracing::warn!(%error, letters = letters.len(), "dead letters wait for Postgres");
        tokio::time::sleep(POSTGRES_PAUSE).await;
    }
    tracing::info!(letters = letters.len(), "dead letters were collected");
    for (letter, delivery) in letters.iter().zip(batch) {
        metrics.collected(&letter.cause);
        tracing::debug!(letter = %letter.id, cause = letter.cause, "a dead letter was collected");
        delivery
            .ack(BasicAckOptions::default())
            .await
            .map_err(QueueError::during("acknowledge a dead letter"))?;
    }
    Ok(())
}

/// Stores all in one transaction. If a letter's own content fails it, each is stored alone, and the
/// guilty one is kept as bytes: something in it is taken by no text or jsonb column.
async fn try_store(pool: &Pool, letters: &mut [DeadLetter]) -> Result<(), DatabaseError> {
    let mut client = pool.get().await?;
    let all: Vec<&DeadLetter> = letters.iter().collect();
    match store_letters(&mut client, &all).await {
        Err(error) if is_own_fault(&error) => {}
        result => return result,
    }
    for letter in letters {
        match store_letters(&mut client, &[&*letter]).await {
            Err(error) if is_own_fault(&error) && letter.envelope.is_some() => {
                letter::undecode(letter);
                store_letters(&mut client, &[&*letter]).await?;
            }
            result => result?,
        }
    }
    Ok(())
}

fn is_own_fault(error: &DatabaseError) -> bool {
    matches!(error, DatabaseError::Statement { source, .. } if fault(source) == Fault::Row)
}
