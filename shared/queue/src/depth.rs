//! How much waits in a queue, and who consumes it: asked by a passive declaration, which changes
//! nothing and needs no rights beyond those that the programs have.

use lapin::{Connection, options::QueueDeclareOptions, types::FieldTable};

use crate::{QueueError, connection::open_channel};

/// A queue as the broker counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// Messages that wait; those that a consumer holds are not among them.
    pub messages: u32,
    /// Channels that consume it.
    pub consumers: u32,
}

/// Asks for a queue; none where there is no such queue.
///
/// On a channel of its own: the broker closes it where the queue is missing.
pub async fn depth(connection: &Connection, queue: &str) -> Result<Option<Depth>, QueueError> {
    let channel = open_channel(connection).await?;
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    match channel.queue_declare(queue.into(), passive, FieldTable::default()).await {
        Ok(queue) => {
            channel.close(200, "done".into()).await.ok();
            let (messages, consumers) = (queue.message_count(), queue.consumer_count());
            Ok(Some(Depth { messages, consumers }))
        }
        Err(error) => match QueueError::during("count a queue")(error) {
            error if error.is_not_found() => Ok(None),
            error => Err(error),
        },
    }
}
