//! What waits in RabbitMQ, and who consumes it.

use std::time::Duration;

use queue::{
    Broker, DEAD, Depth, QueueError, REJECTIONS, RetryQueue, UNROUTED, WORK, depth,
    lapin::Connection,
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

async fn ask_one(connection: &Connection, name: String) -> Result<QueueState, QueueError> {
    let depth = depth(connection, &name).await?;
    let exists = depth.is_some();
    let Depth { messages, consumers } = depth.unwrap_or(Depth { messages: 0, consumers: 0 });
    Ok(QueueState { name, exists, messages, consumers })
}
