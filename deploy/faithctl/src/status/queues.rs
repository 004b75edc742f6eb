//! What waits in RabbitMQ, and who consumes it.

use std::{collections::BTreeSet, time::Duration};

use queue::{
    Broker, Count, DEAD, QueueError, REJECTIONS, RetryQueue, UNROUTED, WORK, depth,
    lapin::Connection,
};
use retry::RetrySchedule;
use runtime::Settings;
use status::{Instances, QueueKind, QueueState};
use tokio::time::timeout;

/// A broker that does not answer for so long is away.
const TIME_LIMIT: Duration = Duration::from_secs(10);

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
    let kind = kind(&name);
    Ok(QueueState { name, kind, exists, messages, consumers, holds: kind.holds() })
}

/// What a queue of the topology is for, by its name.
fn kind(name: &str) -> QueueKind {
    match name {
        WORK => QueueKind::Work,
        DEAD => QueueKind::DeadLetters,
        UNROUTED => QueueKind::Unrouted,
        REJECTIONS => QueueKind::Rejections,
        _ => QueueKind::Retry,
    }
}
