//! The collector: from the dead queue, which survives Postgres being away, into the table `dead_letters`, where an operator
//! can group, filter and replay (rule worker-15).

use std::time::Duration;

use database::{DatabaseError, Fault, Pool, answered};
use queue::{
    DEAD, QueueError,
    lapin::{Connection, message::Delivery},
};
use runtime::{FailureLog, Trace};
use store::dead_letters::{DeadLetter, collect as store_letters};
use tokio_util::sync::CancellationToken;

use crate::{
    metrics::Metrics,
    side_queues::{consumer::consume_batches, dead_letter},
};

/// Letters held at once, and stored in one transaction where so many wait.
const PREFETCH: u16 = 256;
const POSTGRES_PAUSE: Duration = Duration::from_secs(1);

/// Collects on one connection until it is lost or `stop`.
pub(crate) async fn collect(
    connection: Connection,
    pool: &Pool,
    metrics: &Metrics,
    instance: &str,
    stop: &CancellationToken,
) -> Result<(), QueueError> {
    consume_batches(&connection, DEAD, PREFETCH, stop, async |batch| {
        store(pool, &batch, metrics, instance).await;
        Ok(batch)
    })
    .await?;
    connection
        .close(200, "stopped".into())
        .await
        .map_err(QueueError::during("close the connection"))
}

/// Stores a batch, however long that takes: it is held in the queue meanwhile.
async fn store(pool: &Pool, batch: &[Delivery], metrics: &Metrics, instance: &str) {
    let (mut letters, traces): (Vec<DeadLetter>, Vec<Trace>) =
        batch.iter().map(dead_letter::read).unzip();
    let mut failures = FailureLog::default();
    while let Err(error) = answered(try_store(pool, &mut letters, instance)).await {
        if failures.is_worth_a_line(&error.to_string()) {
            tracing::warn!(%error, letters = letters.len(), "dead letters wait for Postgres");
        }
        tokio::time::sleep(POSTGRES_PAUSE).await;
    }
    for (letter, trace) in letters.iter().zip(&traces) {
        metrics.collected(&letter.cause);
        trace.span().record("faithtracker.outcome", "collected");
        tracing::info!(
            event_id = letter.envelope.as_ref().map(|envelope| envelope.event_id.as_str()),
            delivery_id = %letter.id, cause = letter.cause, trace_id = %trace.id(),
            "a dead letter was collected"
        );
    }
}

/// Stores all in one transaction. If a letter's own content fails it, each is stored alone, and the
/// guilty one is kept as bytes: something in it is taken by no text or jsonb column.
async fn try_store(
    pool: &Pool,
    letters: &mut [DeadLetter],
    instance: &str,
) -> Result<(), DatabaseError> {
    let mut client = pool.get().await?;
    let all: Vec<&DeadLetter> = letters.iter().collect();
    match store_letters(&mut client, &all, instance).await {
        Err(error) if is_own_fault(&error) => {}
        result => return result,
    }
    for letter in letters {
        match store_letters(&mut client, &[&*letter], instance).await {
            Err(error) if is_own_fault(&error) && letter.envelope.is_some() => {
                dead_letter::undecode(letter);
                store_letters(&mut client, &[&*letter], instance).await?;
            }
            result => result?,
        }
    }
    Ok(())
}

fn is_own_fault(error: &DatabaseError) -> bool {
    error.fault() == Fault::Row
}
