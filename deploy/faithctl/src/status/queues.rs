//! What waits in RabbitMQ, and who consumes it.

use std::time::Duration;

use queue::{
    Broker, Count, DEAD, QueueError, REJECTIONS, RetryQueue, UNROUTED, WORK, depth,
    lapin::Connection,
};
use serde::Serialize;
use tokio::time::timeout;

/// A broker that does not answer for so long is away.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// A queue as the broker counts it; all is none where it does not say so to this user.
#[derive(Debug, Serialize)]
pub(crate) struct QueueState {
    pub(crate) name: String,
    /// Whether it has been declared: the first gateway or worker does that.
    pub(crate) exists: Option<bool>,
    /// Messages that wait; those that a worker holds are not among them.
    pub(crate) messages: Option<u32>,
    pub(crate) consumers: Option<u32>,
}

impl QueueState {
    /// Whether there is certainly no such queue.
    pub(crate) fn is_missing(&self) -> bool {
        self.exists == Some(false)
    }
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
    let asked = timeout(TIME_LIMIT, async {
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
    let (exists, messages, consumers) = match depth(connection, &name).await? {
        Count::Of(depth) => (Some(true), Some(depth.messages), Some(depth.consumers)),
        Count::Missing => (Some(false), Some(0), Some(0)),
        Count::Refused => (None, None, None),
    };
    Ok(QueueState { name, exists, messages, consumers })
}
