//! The collector: from the dead queue, which survives Postgres being away, into `dead_letters`,
//! where an operator can group, filter and replay.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use database::{DatabaseError, Fault, Pool, fault};
use event::Envelope;
use futures_util::StreamExt;
use queue::{
    DEAD, QueueError, ReceivedHeaders,
    lapin::{Connection, message::Delivery, options::BasicAckOptions},
};
use retry::Cause;
use serde_json::json;
use sha2::{Digest, Sha256};
use store::dead_letters::{DeadLetter, collect as store_letter};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{consume, metrics::Metrics, trace};

/// Letters held at once: they are rare, and each is a transaction.
const PREFETCH: u16 = 16;
const POSTGRES_PAUSE: Duration = Duration::from_secs(1);

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
        let delivery = tokio::select! {
            () = stop.cancelled() => break,
            delivery = consumer.next() => delivery,
        };
        let delivery = match delivery {
            Some(Ok(delivery)) => delivery,
            Some(Err(source)) => return Err(QueueError::during("consume dead letters")(source)),
            None => return Ok(()),
        };
        let letter = read(&delivery);
        let stored = tokio::select! {
            () = stop.cancelled() => break,
            () = keep(pool, letter, metrics) => delivery.ack(BasicAckOptions::default()).await,
        };
        stored.map_err(QueueError::during("acknowledge a dead letter"))?;
    }
    connection
        .close(200, "stopped".into())
        .await
        .map_err(QueueError::during("close the connection"))
}

/// Stores the letter, however long that takes: it is held in the queue meanwhile.
async fn keep(pool: &Pool, mut letter: DeadLetter, metrics: &Metrics) {
    loop {
        match try_keep(pool, &letter).await {
            Ok(()) => {
                metrics.collected(&letter.cause);
                tracing::info!(letter = %letter.id, cause = letter.cause, "a dead letter was collected");
                return;
            }
            // Something in it that no text or jsonb column takes: kept as bytes, never retried for ever.
            Err(DatabaseError::Statement { source, .. })
                if fault(&source) == Fault::Row && letter.envelope.is_some() =>
            {
                let bytes = letter.envelope.take().map(|envelope| envelope.encode());
                letter.body = undecoded(&bytes.unwrap_or_default());
            }
            Err(error) => {
                tracing::warn!(%error, "a dead letter waits for Postgres");
                tokio::time::sleep(POSTGRES_PAUSE).await;
            }
        }
    }
}

async fn try_keep(pool: &Pool, letter: &DeadLetter) -> Result<(), DatabaseError> {
    let mut client = pool.get().await?;
    store_letter(&mut client, letter).await
}

/// What a message from the dead queue says. One that no worker sent there was sent by the broker:
/// it was delivered too often without an ack, most likely because it crashes whoever takes it.
fn read(delivery: &Delivery) -> DeadLetter {
    let headers = ReceivedHeaders::read(&delivery.properties);
    let envelope = Envelope::decode(&delivery.data).ok();
    let (cause, reason) = match headers.letter {
        Some(letter) => (letter.cause, letter.reason),
        None if envelope.is_some() => (
            Cause::Poison.as_str().to_owned(),
            "It was delivered too often without coming to an end: it may crash workers.".to_owned(),
        ),
        None => {
            (Cause::InvalidEvent.as_str().to_owned(), "The message could not be read.".to_owned())
        }
    };
    let body = envelope
        .as_ref()
        .and_then(|envelope| serde_json::to_value(envelope).ok())
        .unwrap_or_else(|| undecoded(&delivery.data));
    DeadLetter {
        id: envelope.as_ref().map_or_else(|| id_of(delivery), |envelope| envelope.delivery_id),
        envelope,
        body,
        // A cause that this version does not know would not be taken by the table.
        cause: if Cause::ALL.iter().any(|known| known.as_str() == cause) {
            cause
        } else {
            Cause::InvalidEvent.as_str().to_owned()
        },
        reason,
        history: headers.history,
        trace_id: headers.traceparent.as_deref().and_then(trace::id),
    }
}

fn undecoded(bytes: &[u8]) -> serde_json::Value {
    json!({"base64": BASE64_STANDARD.encode(bytes)})
}

/// The message's id, or one made from its bytes: the same message is the same letter.
fn id_of(delivery: &Delivery) -> Uuid {
    let id = delivery.properties.message_id().as_ref();
    id.and_then(|id| Uuid::try_parse(id.as_str()).ok()).unwrap_or_else(|| {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&Sha256::digest(&delivery.data)[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    })
}
