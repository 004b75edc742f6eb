//! A channel that consumes one queue.

use queue::{
    QueueError,
    lapin::{
        Channel, Connection, Consumer,
        options::{BasicConsumeOptions, BasicQosOptions},
        types::FieldTable,
    },
};

/// Begins to consume a queue, on a channel with its own prefetch; quorum queues refuse a global one. The broker names
/// the consumer.
pub(crate) async fn consume_queue(
    connection: &Connection,
    queue: &str,
    prefetch: u16,
) -> Result<(Channel, Consumer), QueueError> {
    let channel =
        connection.create_channel().await.map_err(QueueError::during("open a channel"))?;
    channel
        .basic_qos(prefetch, BasicQosOptions::default())
        .await
        .map_err(QueueError::during("set the prefetch"))?;
    let options = BasicConsumeOptions::default();
    let consumer = channel
        .basic_consume(queue.into(), "".into(), options, FieldTable::default())
        .await
        .map_err(QueueError::during("start to consume"))?;
    Ok((channel, consumer))
}
