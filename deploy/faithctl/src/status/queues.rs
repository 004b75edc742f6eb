//! What waits in RabbitMQ, and who consumes it.

use std::time::Duration;

use queue::{
    Broker, DEAD, QueueError, REJECTIONS, RetryQueue, UNROUTED, WORK,
    lapin::{Connection, options::QueueDeclareOptions, types::FieldTable},
};
use serde::Serialize;
use tokio::time::timeout;

/// A broker that does not answer for so long is away.
const PATIENCE: Duration = Duration::from_secs(10);

/// A queue as the broker counts it.
#[derive(Debug, Serialize)]
pub(crate) struct QueueState {
    pub(crate) name: String,
    /// Whether it has been declared: the first gateway or worker does that.
    pub(crate) exists: bool,
    /// Messages that wait; those that a worker holds are not among them.
    pub(crate) messages: u32,
    pub(crate) consumers: u32,
}

/// Asks for every queue of the topology, in the order of an event's way.
pub(crate) async fn ask(
    broker: &Broker,
    delays: &[Duration],
) -> Result<Vec<QueueState>, QueueError> {
    let retries = delays.iter().map(|delay| RetryQueue(*delay).name());
    let names = std::iter::once(WORK.to_owned())
        .chain(retries)
        .chain([DEAD, UNROUTED, REJECTIONS].map(str::to_owned));
    let connection = broker.connect().await?;
    let asked = timeout(PATIENCE, async {
        let mut states = Vec::new();
        for name in names {
            states.push(ask_one(&connection, name).await?);
        }
        Ok(states)
    });
    let states =
        asked.await.unwrap_or_else(|_| Err(QueueError::Timeout("the count of queues".to_owned())));
    connection.close(200, "done".into()).await.ok();
    states
}

/// A passive declaration counts and changes nothing. Where there is no such queue the broker closes
/// the channel, so each queue is asked for on its own.
async fn ask_one(connection: &Connection, name: String) -> Result<QueueState, QueueError> {
    let channel =
        connection.create_channel().await.map_err(QueueError::during("open a channel"))?;
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    match channel.queue_declare(name.as_str().into(), passive, FieldTable::default()).await {
        Ok(queue) => {
            channel.close(200, "done".into()).await.ok();
            Ok(QueueState {
                name,
                exists: true,
                messages: queue.message_count(),
                consumers: queue.consumer_count(),
            })
        }
        Err(error) if is_not_found(&error) => {
            Ok(QueueState { name, exists: false, messages: 0, consumers: 0 })
        }
        Err(error) => Err(QueueError::during("count a queue")(error)),
    }
}

fn is_not_found(error: &queue::lapin::Error) -> bool {
    const NOT_FOUND: u16 = 404;
    matches!(error.kind(), queue::lapin::ErrorKind::ProtocolError(error) if error.get_id() == NOT_FOUND)
}
