//! What waits in RabbitMQ, and who consumes it.

use std::{collections::BTreeSet, time::Duration};

use queue::{
    Broker, Count, DEAD, QueueError, REJECTIONS, RetryQueue, UNROUTED, WORK, depth,
    lapin::Connection,
};
use retry::RetrySchedule;
use runtime::Settings;
use serde::Serialize;
use tokio::time::timeout;

use super::instances::Instances;

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
    /// What it holds, in words.
    pub(crate) holds: &'static str,
}

/// The delay queues to ask for.
pub(crate) struct RetryQueues {
    /// Those that the running workers have declared.
    used: BTreeSet<String>,
    /// Others that there may be: those of our own `RETRY_DELAYS`, or of the default.
    possible: BTreeSet<String>,
}

/// The delay queues of the workers that run; where none does, those of our own settings.
pub(crate) fn retry_queues(instances: Option<&Instances>, delays: &[Duration]) -> RetryQueues {
    let names =
        |delays: &[Duration]| delays.iter().map(|delay| RetryQueue(*delay).name()).collect();
    let own: BTreeSet<String> = names(delays);
    let used = instances.map(|instances| instances.retry_queues.clone()).unwrap_or_default();
    let default = RetrySchedule::from_settings(&Settings::from_pairs(std::iter::empty()));
    let mut possible: BTreeSet<String> =
        default.map(|default| names(&default.delays())).unwrap_or_default();
    if used.is_empty() {
        return RetryQueues { used: own, possible };
    }
    possible.extend(own);
    RetryQueues { used, possible }
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
    retries: &RetryQueues,
) -> Result<Vec<QueueState>, QueueError> {
    let mut delays: Vec<&String> = retries.used.union(&retries.possible).collect();
    delays.sort_by_key(|name| RetryQueue::of_name(name).map(|queue| queue.0));
    let names = std::iter::once(WORK.to_owned())
        .chain(delays.into_iter().cloned())
        .chain([DEAD, UNROUTED, REJECTIONS].map(str::to_owned));
    let connection = broker.connect().await?;
    let asked = timeout(TIME_LIMIT, async {
        let mut states = Vec::new();
        for name in names {
            let is_only_possible =
                !retries.used.contains(&name) && retries.possible.contains(&name);
            let state = ask_one(&connection, name).await?;
            // One that nobody uses is of interest while it holds something, or is still there.
            if !(is_only_possible && state.exists != Some(true)) {
                states.push(state);
            }
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
    let holds = holds(&name);
    Ok(QueueState { name, exists, messages, consumers, holds })
}

/// What a queue holds; the names alone are known to nobody.
fn holds(name: &str) -> &'static str {
    match name {
        WORK => "events for workers",
        DEAD => "dead letters, for Postgres",
        UNROUTED => "events without a queue",
        REJECTIONS => "refused webhooks, for the log",
        _ => "events for another attempt",
    }
}
