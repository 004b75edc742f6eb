//! The queues beside the work queue: consumed in batches of what is ready, one batch at a time.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use queue::{
    QueueError,
    lapin::{
        Connection, Consumer,
        message::Delivery,
        options::{BasicAckOptions, BasicCancelOptions},
    },
};
use tokio_util::sync::CancellationToken;

use crate::channel::{close_drained, consume_queue};

/// How long a drain may take to handle what is held; the broker brings the rest again.
const FINISH_LIMIT: Duration = Duration::from_secs(5);

/// Hands the queue's messages to `handle`, up to `prefetch` at once, and acks those that it
/// answers, until the connection is lost, `handle` fails, or `stop`. What `handle` cannot do now it
/// waits for: the messages are held in the queue meanwhile.
///
/// After `stop`, what the broker has sent already is handled too, where that is quick.
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
    let (channel, mut consumer) = consume_queue(connection, queue, prefetch).await?;
    loop {
        let first = tokio::select! {
            () = stop.cancelled() => break,
            first = consumer.next() => first,
        };
        let first = first.ok_or(QueueError::Cancelled(queue))?;
        let first = first.map_err(QueueError::during("consume a side queue"))?;
        let batch = with_what_waits(first, &mut consumer, prefetch);
        tokio::select! {
            () = overdue(stop) => return Ok(()),
            handled = handle(batch) => acknowledge(handled?).await?,
        }
    }
    let drain = async {
        channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await.ok();
        while let Some(Ok(first)) = consumer.next().await {
            let batch = with_what_waits(first, &mut consumer, prefetch);
            acknowledge(handle(batch).await?).await?;
        }
        close_drained(&channel).await;
        Ok(())
    };
    tokio::time::timeout(FINISH_LIMIT, drain).await.unwrap_or(Ok(()))
}

/// A batch of all that is here already; nothing is waited for.
fn with_what_waits(first: Delivery, consumer: &mut Consumer, prefetch: u16) -> Vec<Delivery> {
    let mut batch = vec![first];
    while batch.len() < usize::from(prefetch) {
        // An error comes again as the end of the stream.
        let Some(Some(Ok(delivery))) = consumer.next().now_or_never() else { break };
        batch.push(delivery);
    }
    batch
}

/// Some time after `stop`: what is under way may still end well.
async fn overdue(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(FINISH_LIMIT).await;
}

async fn acknowledge(handled: Vec<Delivery>) -> Result<(), QueueError> {
    for delivery in handled {
        delivery
            .ack(BasicAckOptions::default())
            .await
            .map_err(QueueError::during("acknowledge a message of a side queue"))?;
    }
    Ok(())
}
