//! How much waits in a queue, and who consumes it: asked by a passive declaration, which changes
//! nothing. RabbitMQ answers everybody until 4.2.5, and later whoever has some right on the queue:
//! `deploy/rabbitmq/permissions` gives that of writing, which is none to read or to delete. 4.2.6 and
//! 4.3.0 answer only those who may delete it; to others it cannot be counted there.

use lapin::{Connection, options::QueueDeclareOptions, types::FieldTable};

use crate::{channel::open_channel, error::QueueError};

/// A queue as the broker counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// Messages that wait; those that a consumer holds are not among them.
    pub messages: u32,
    /// Channels that consume it.
    pub consumers: u32,
}

/// What the broker says of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// It is there.
    Of(Depth),
    /// There is no such queue.
    Missing,
    /// The broker does not say so to this user.
    Refused,
}

/// Asks for a queue.
///
/// On a channel of its own: the broker closes it where the queue is missing.
pub async fn depth(connection: &Connection, queue: &str) -> Result<Count, QueueError> {
    let channel = open_channel(connection).await?;
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    match channel.queue_declare(queue.into(), passive, FieldTable::default()).await {
        Ok(queue) => {
            channel.close(200, "done".into()).await.ok();
            let (messages, consumers) = (queue.message_count(), queue.consumer_count());
            Ok(Count::Of(Depth { messages, consumers }))
        }
        Err(error) => match QueueError::during("count a queue")(error) {
            error if error.is_not_found() => Ok(Count::Missing),
            error if error.is_access_refused() => Ok(Count::Refused),
            error => Err(error),
        },
    }
}
