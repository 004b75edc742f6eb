//! A channel that consumes one queue.

use std::time::Duration;

use queue::{
    QueueError,
    lapin::{
        Channel, Connection, Consumer,
        options::{BasicConsumeOptions, BasicQosOptions},
        types::FieldTable,
    },
};

/// RabbitMQ passes acknowledgements on to a quorum queue some tens at a time, and forgets what still waits for its turn when
/// their channel is closed: the queue delivers those again, and counts.
const ACKS_PAUSE: Duration = Duration::from_millis(500);

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

/// Closes a channel once the queue has what was acknowledged on it. Not left to its drop: that closes it too, but a connection
/// that is closed meanwhile takes that for its own error. One that the broker closed already is of no more use either.
pub(crate) async fn close_drained(channel: &Channel) {
    tokio::time::sleep(ACKS_PAUSE).await;
    channel.close(200, "drained".into()).await.ok();
}
