//! Publishing that is over only when the broker has confirmed: the message is then on the disks of
//! a majority of a quorum queue's replicas.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use arc_swap::ArcSwapOption;
use lapin::{Channel, Connection};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    channel::open_confirming,
    condition::Condition,
    connection::Link,
    declarations::Declarations,
    declared::{self, QueueProbe},
    error::{PublishError, QueueError},
    lane::{Lane, Request},
    message::Message,
    spans,
};

/// How long the channels of a connection may take to be opened: round trips, nothing is elected.
const PREPARE_LIMIT: std::time::Duration = std::time::Duration::from_secs(5);

/// How long a connection may take to be closed.
const CLOSE_LIMIT: std::time::Duration = std::time::Duration::from_secs(2);

/// How much may be under way.
#[derive(Debug, Clone, Copy)]
pub struct PublisherOptions {
    /// Channels, each with its own task. A quorum queue slows a channel down at 32 unconfirmed
    /// messages, so several carry more than one.
    pub channels: usize,
    /// Messages that may wait for each channel, and unconfirmed ones it may have.
    pub waiting: usize,
}

impl Default for PublisherOptions {
    fn default() -> Self {
        Self { channels: 4, waiting: 512 }
    }
}

/// The lanes of the connection that stands now.
struct Lanes {
    senders: Vec<mpsc::Sender<Request>>,
    next: AtomicUsize,
}

/// A handle to publish with; clones share the channels.
#[derive(Clone)]
pub struct Publisher {
    lanes: Arc<ArcSwapOption<Lanes>>,
}

impl Publisher {
    /// Starts a publisher, and the task that keeps it connected until `shutdown`. Messages taken
    /// before `shutdown` are still confirmed after it.
    pub fn start(
        link: Link,
        options: PublisherOptions,
        shutdown: CancellationToken,
    ) -> (Self, tokio::task::JoinHandle<()>) {
        let lanes = Arc::new(ArcSwapOption::empty());
        let publisher = Self { lanes: Arc::clone(&lanes) };
        let condition = Arc::new(Condition::new(link.check.clone()));
        let task = tokio::spawn(async move {
            link.keep(&shutdown, |connection| {
                serve(connection, &link, &lanes, options, &shutdown, &condition)
            })
            .await;
        });
        (publisher, task)
    }

    /// Whether there is a connection that messages could go by.
    pub fn is_connected(&self) -> bool {
        self.lanes.load().is_some()
    }

    /// Publishes a message and waits for its confirm, and before that for room among those that
    /// wait: who has a deadline puts it around this.
    ///
    /// Dropping this future drops no confirm: the lane goes on waiting for it.
    pub async fn publish(&self, message: Message) -> Result<(), PublishError> {
        let span = message.span.clone();
        let outcome = self.hand_over(message).await;
        spans::sent(&span, outcome);
        outcome
    }

    async fn hand_over(&self, message: Message) -> Result<(), PublishError> {
        let lanes = self.lanes.load_full().ok_or(PublishError::Away)?;
        let (answer, answered) = oneshot::channel();
        lanes.send(Request { message, answer }).await?;
        answered.await.unwrap_or(Err(PublishError::Away))
    }
}

impl Lanes {
    /// Hands the request to the next lane with room, and where none has any, waits for one.
    async fn send(&self, mut request: Request) -> Result<(), PublishError> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let lane = |step: usize| &self.senders[first.wrapping_add(step) % self.senders.len()];
        for step in 0..self.senders.len() {
            match lane(step).try_send(request) {
                Ok(()) => return Ok(()),
                Err(
                    mpsc::error::TrySendError::Full(back) | mpsc::error::TrySendError::Closed(back),
                ) => request = back,
            }
        }
        lane(0).send(request).await.map_err(|_| PublishError::Away)
    }
}

/// Opens the channels to publish on, and the one to ask on: all before anybody is told that the
/// connection is at work, since a broker may fall silent at any of them.
async fn prepare(
    connection: &Connection,
    channels: usize,
    declarations: &Declarations,
) -> Result<(Vec<Channel>, Option<QueueProbe>), QueueError> {
    let mut opened = Vec::with_capacity(channels);
    for _ in 0..channels {
        opened.push(open_confirming(connection).await?);
    }
    let probe =
        if declarations.are_of_events() { Some(QueueProbe::open(connection).await?) } else { None };
    Ok((opened, probe))
}

/// Opens the lanes on a new connection and waits until one of them fails, the queues are gone, or
/// all have finished after `shutdown`.
async fn serve(
    connection: Connection,
    link: &Link,
    lanes: &ArcSwapOption<Lanes>,
    options: PublisherOptions,
    shutdown: &CancellationToken,
    condition: &Arc<Condition>,
) -> Result<(), QueueError> {
    let connection = Arc::new(connection);
    // Kept until the connection is closed: lapin takes a channel that is dropped, and so closed,
    // meanwhile for an error of the connection.
    let mut channels = Vec::with_capacity(options.channels);
    let mut senders = Vec::with_capacity(options.channels);
    let mut tasks = JoinSet::new();
    let prepared =
        timeout(PREPARE_LIMIT, prepare(&connection, options.channels, &link.declarations)).await;
    let (opened, probe) = prepared
        .unwrap_or_else(|_| Err(QueueError::Timeout("the opening of channels".to_owned())))?;
    for channel in opened {
        let (sender, receiver) = mpsc::channel(options.waiting);
        senders.push(sender);
        channels.push(channel.clone());
        let lane = Lane {
            channel,
            connection: Arc::clone(&connection),
            receiver,
            limit: options.waiting,
            condition: Arc::clone(condition),
        };
        tasks.spawn(lane.run());
    }
    // Whoever waits for the check to be well publishes at once.
    lanes.store(Some(Arc::new(Lanes { senders, next: AtomicUsize::new(0) })));
    condition.begun();
    // Kept likewise: it has a channel of its own.
    let watch = declared::watch(&connection, probe.as_ref(), condition);
    tokio::pin!(watch);
    let result = tokio::select! {
        first = tasks.join_next() => first.and_then(Result::ok).unwrap_or(Ok(())),
        Err(error) = &mut watch => Err(error),
        () = shutdown.cancelled() => Ok(()),
    };
    // No lane takes more: waiting publishers of a lost connection hear `Away` at once, and after a
    // shutdown each lane ends when what it has taken is confirmed.
    lanes.store(None);
    condition.ended(result.as_ref().err());
    if result.is_ok() {
        while tasks.join_next().await.is_some() {}
    }
    tasks.shutdown().await;
    timeout(CLOSE_LIMIT, connection.close(200, "closed".into())).await.ok();
    result
}
