//! The work queue's deliveries, on a channel of their own.

use std::time::Duration;

use futures_util::StreamExt;
use queue::{
    QueueError, WORK,
    lapin::{Channel, Connection, Consumer, options::BasicCancelOptions},
};

use crate::{
    channel::{close_drained, consume_queue},
    event::settle::{Settler, delivery::WorkDelivery},
};

/// How long a cancellation waits for what the broker sent before it heard of it.
const CANCEL_LIMIT: Duration = Duration::from_secs(3);
/// Nothing is on its way when nothing came for so long.
const QUIET: Duration = Duration::from_millis(100);

/// Consumes the work queue.
pub(crate) struct WorkConsumer {
    channel: Channel,
    consumer: Consumer,
}

impl WorkConsumer {
    pub(crate) async fn start(connection: &Connection, prefetch: u16) -> Result<Self, QueueError> {
        let (channel, consumer) = consume_queue(connection, WORK, prefetch).await?;
        Ok(Self { channel, consumer })
    }

    /// The next delivery; none once the channel is lost.
    pub(crate) async fn next(&mut self) -> Result<Option<WorkDelivery>, QueueError> {
        let delivery = self.consumer.next().await.transpose();
        let delivery = delivery.map_err(QueueError::during("consume events"))?;
        Ok(delivery.map(WorkDelivery::new))
    }

    /// Stops to consume, and answers what the broker had sent by then.
    ///
    /// What the broker sends and nobody takes returns to the queue, and counts. It sends on until the cancellation has
    /// reached the queue, and lapin drops what comes after its confirmation. So the acks, which make room for more, are
    /// held, and the consumer is cancelled when nothing is on its way.
    pub(crate) async fn cancel(&mut self, settler: &Settler) -> Vec<WorkDelivery> {
        let mut sent = Vec::new();
        let stop = async {
            let _closed = settler.hold_acks().await;
            while let Ok(Ok(Some(delivery))) = tokio::time::timeout(QUIET, self.next()).await {
                sent.push(delivery);
            }
            let tag = self.consumer.tag();
            self.channel.basic_cancel(tag, BasicCancelOptions::default()).await.ok();
            while let Ok(Some(delivery)) = self.next().await {
                sent.push(delivery);
            }
        };
        tokio::time::timeout(CANCEL_LIMIT, stop).await.ok();
        sent
    }

    /// Ends the channel, once the queue has what was acknowledged on it.
    pub(crate) async fn close(self) {
        drop(self.consumer);
        close_drained(&self.channel).await;
    }
}
