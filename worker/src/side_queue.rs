//! The queues beside the work queue: consumed in batches of what is ready, one batch at a time.

use futures_util::{FutureExt, StreamExt};
use queue::{
    QueueError,
    lapin::{Connection, message::Delivery, options::BasicAckOptions},
};
use tokio_util::sync::CancellationToken;

use crate::consume;

/// Hands the queue's messages to `handle`, up to `prefetch` at once, and acks those that it
/// answers, until the connection is lost, `handle` fails, or `stop`. What `handle` cannot do now it
/// waits for: the messages are held in the queue meanwhile.
pub(crate) async fn consume_batches<F>(
    connection: &Connection,
    queue: &'static str,
    prefetch: u16,
    stop: &CancellationToken,
    mut handle: impl FnMut(Vec<Delivery>) -> F,
) -> Result<(), QueueError>
where
    F: Future<Output = Result<Vec<Delivery>, QueueError>>,
{
    let channel = consume::open(connection, prefetch).await?;
    let mut consumer = consume::start(&channel, queue).await?;
    loop {
        let first = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            first = consumer.next() => first,
        };
        let Some(first) = first else { return Ok(()) };
        let mut batch = vec![first.map_err(QueueError::during("consume a side queue"))?];
        while let Some(Some(next)) = consumer.next().now_or_never() {
            batch.push(next.map_err(QueueError::during("consume a side queue"))?);
        }
        let handled = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            handled = handle(batch) => handled,
        };
        for delivery in handled? {
            delivery
                .ack(BasicAckOptions::default())
                .await
                .map_err(QueueError::during("acknowledge a message of a side queue"))?;
        }
    }
}
