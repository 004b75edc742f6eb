//! The depths of queues as metrics: asked now and then, and shown only as long as they are fresh.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use lapin::Connection;
use runtime::metrics::{Reading, observe_each};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{
    depth::{Count, Depth, depth},
    error::QueueError,
};

/// How often the broker is asked; each queue is a round trip to its leader.
const EVERY: Duration = Duration::from_secs(5);
/// A broker that takes longer for all of them is as good as away.
const COUNT_LIMIT: Duration = Duration::from_secs(10);
/// A count that nobody has confirmed for so long is no count any more.
const FRESH: Duration = Duration::from_secs(30);

/// What the broker last said of some queues.
#[derive(Clone)]
pub struct QueueWatch {
    queues: Arc<[String]>,
    last: Arc<Mutex<Option<Counted>>>,
}

struct Counted {
    at: Instant,
    depths: BTreeMap<String, Depth>,
    /// Since when messages have been found in each queue at every look.
    waiting_since: BTreeMap<String, Instant>,
    /// When each queue was last found empty.
    empty_at: BTreeMap<String, Instant>,
}

impl QueueWatch {
    /// Shows the depths of `queues` as the metrics `queue_messages` and `queue_consumers`.
    pub fn new(queues: impl IntoIterator<Item = String>) -> Self {
        let watch = Self { queues: queues.into_iter().collect(), last: Arc::default() };
        let read = watch.clone();
        observe_each("queue_messages", "Messages that wait in a queue of RabbitMQ", move || {
            read.readings(|depth| depth.messages)
        });
        let read = watch.clone();
        observe_each("queue_consumers", "Channels that consume a queue of RabbitMQ", move || {
            read.readings(|depth| depth.consumers)
        });
        watch
    }

    /// Asks on one connection until it is lost or `stop`. A queue that cannot be counted, while its
    /// leader is elected for instance, is asked for again: others may live on that connection.
    pub async fn keep(
        &self,
        connection: &Connection,
        stop: &CancellationToken,
    ) -> Result<(), QueueError> {
        loop {
            let counted = timeout(COUNT_LIMIT, self.count(connection)).await;
            let counted = counted
                .unwrap_or_else(|_| Err(QueueError::Timeout("the count of queues".to_owned())));
            match counted {
                Err(error) if !connection.status().connected() => return Err(error),
                Err(error) => tracing::debug!(%error, "queues cannot be counted"),
                Ok(()) => {}
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = stop.cancelled() => return Ok(()),
            }
        }
    }

    /// How many messages wait in a queue, and since when some have; none where that is not known.
    pub fn backlog(&self, queue: &str) -> Option<(u32, Option<Instant>)> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = last.as_ref().filter(|counted| counted.at.elapsed() < FRESH)?;
        let depth = counted.depths.get(queue)?;
        Some((depth.messages, counted.waiting_since.get(queue).copied()))
    }

    /// When a queue was last found empty; none: never yet.
    pub fn empty_at(&self, queue: &str) -> Option<Instant> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref()?.empty_at.get(queue).copied()
    }

    async fn count(&self, connection: &Connection) -> Result<(), QueueError> {
        let mut depths = BTreeMap::new();
        // Before it is asked: what comes in meanwhile may be there already, and not be counted.
        let asked_at = Instant::now();
        for queue in self.queues.iter() {
            if let Count::Of(depth) = depth(connection, queue).await? {
                depths.insert(queue.clone(), depth);
            }
        }
        let at = Instant::now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (before, mut empty_at) = last
            .take()
            .map(|counted| (counted.waiting_since, counted.empty_at))
            .unwrap_or_default();
        let waiting_since = depths
            .iter()
            .filter(|(_, depth)| depth.messages > 0)
            .map(|(queue, _)| (queue.clone(), before.get(queue).copied().unwrap_or(at)))
            .collect();
        let empty = depths.iter().filter(|(_, depth)| depth.messages == 0);
        empty_at.extend(empty.map(|(queue, _)| (queue.clone(), asked_at)));
        *last = Some(Counted { at, depths, waiting_since, empty_at });
        Ok(())
    }

    fn readings(&self, of: impl Fn(&Depth) -> u32) -> Vec<Reading> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = last.as_ref().filter(|counted| counted.at.elapsed() < FRESH);
        fresh
            .iter()
            .flat_map(|counted| &counted.depths)
            .map(|(queue, depth)| (vec![("queue", queue.clone())], f64::from(of(depth))))
            .collect()
    }
}
