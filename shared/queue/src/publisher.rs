//! Publishing that is over only when the broker has confirmed: the message is then on the disks of
//! a majority of a quorum queue's replicas.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use futures_util::{StreamExt, stream::FuturesUnordered};
use lapin::{BasicProperties, Channel, Confirmation, Connection, options::BasicPublishOptions};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{Link, Message, QueueError, Route, connection::open_channel, spans};

/// A publish that takes longer hangs: a frozen broker, a half-open or a blocked connection. The
/// connection is then given up, and with it everything unconfirmed on it.
const CONFIRM_LIMIT: Duration = Duration::from_secs(15);

/// How long a queue may refuse everything before the connection is made anew.
///
/// It may be full. But a channel that was opened while the queue's leader was being elected may ask
/// the dead leader for ever, and RabbitMQ (3.10 at least) then refuses each message although the
/// queue is well; a new channel asks the new leader.
const REFUSAL_LIMIT: Duration = Duration::from_secs(3);

/// How often a lane looks for a blocked connection.
const BLOCKED_POLL: Duration = Duration::from_millis(100);

/// A message was not confirmed. It may nonetheless be in the queue: publish again, and let the
/// reader tell twins apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// There is no connection to RabbitMQ, or it was lost before the confirm.
    #[error("RabbitMQ is away")]
    Away,
    /// RabbitMQ takes no messages now: an alarm for memory or disk.
    #[error("RabbitMQ blocks publishers")]
    Blocked,
    /// RabbitMQ refused the message: its queue is full.
    #[error("RabbitMQ refused the message, its queue is full")]
    Refused,
    /// More is waiting to be published than may wait.
    #[error("too many messages wait to be published")]
    Busy,
}

impl PublishError {
    /// One word from a closed list.
    pub fn label(self) -> &'static str {
        match self {
            Self::Away => "away",
            Self::Blocked => "blocked",
            Self::Refused => "refused",
            Self::Busy => "busy",
        }
    }
}

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

struct Request {
    message: Message,
    answer: oneshot::Sender<Result<(), PublishError>>,
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
        let task = tokio::spawn(async move {
            link.keep(&shutdown, |connection| {
                serve(connection, Arc::clone(&lanes), options, shutdown.clone(), link.check.clone())
            })
            .await;
        });
        (publisher, task)
    }

    /// Publishes a message and waits for its confirm.
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
        lanes.send(Request { message, answer })?;
        answered.await.unwrap_or(Err(PublishError::Away))
    }
}

impl Lanes {
    /// Hands the request to the next lane with room.
    fn send(&self, mut request: Request) -> Result<(), PublishError> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let mut failure = PublishError::Away;
        for step in 0..self.senders.len() {
            match self.senders[first.wrapping_add(step) % self.senders.len()].try_send(request) {
                Ok(()) => return Ok(()),
                Err(mpsc::error::TrySendError::Full(back)) => {
                    failure = PublishError::Busy;
                    request = back;
                }
                Err(mpsc::error::TrySendError::Closed(back)) => request = back,
            }
        }
        Err(failure)
    }
}

/// Opens the lanes on a new connection and waits until one of them fails, or all have finished
/// after `shutdown`.
async fn serve(
    connection: Connection,
    lanes: Arc<ArcSwapOption<Lanes>>,
    options: PublisherOptions,
    shutdown: CancellationToken,
    check: runtime::Check,
) -> Result<(), QueueError> {
    let connection = Arc::new(connection);
    // Kept until the connection is closed: lapin takes a channel that is dropped, and so closed,
    // meanwhile for an error of the connection.
    let mut channels = Vec::with_capacity(options.channels);
    let mut senders = Vec::with_capacity(options.channels);
    let mut tasks = JoinSet::new();
    for _ in 0..options.channels {
        let channel = open_channel(&connection).await?;
        channel
            .confirm_select(lapin::options::ConfirmSelectOptions::default())
            .await
            .map_err(QueueError::during("turn on publisher confirms"))?;
        let (sender, receiver) = mpsc::channel(options.waiting);
        senders.push(sender);
        channels.push(channel.clone());
        let lane = Lane {
            channel,
            connection: Arc::clone(&connection),
            receiver,
            limit: options.waiting,
            check: check.clone(),
        };
        tasks.spawn(lane.run());
    }
    lanes.store(Some(Arc::new(Lanes { senders, next: AtomicUsize::new(0) })));
    check.well();
    let result = tokio::select! {
        first = tasks.join_next() => first.and_then(Result::ok).unwrap_or(Ok(())),
        () = shutdown.cancelled() => Ok(()),
    };
    // No lane takes more: waiting publishers of a lost connection hear `Away` at once, and after a
    // shutdown each lane ends when what it has taken is confirmed.
    lanes.store(None);
    if result.is_ok() {
        while tasks.join_next().await.is_some() {}
    }
    tasks.shutdown().await;
    timeout(Duration::from_secs(2), connection.close(200, "closed".into())).await.ok();
    result
}

/// The only owner of one confirm-mode channel: tasks that share one can swap their confirms.
struct Lane {
    channel: Channel,
    connection: Arc<Connection>,
    receiver: mpsc::Receiver<Request>,
    limit: usize,
    check: runtime::Check,
}

impl Lane {
    async fn run(self) -> Result<(), QueueError> {
        let Self { channel, connection, mut receiver, limit, check } = self;
        let mut under_way = FuturesUnordered::new();
        let mut refusals = Refusals::default();
        let mut open = true;
        let mut blocked = false;
        let mut watch = tokio::time::interval(BLOCKED_POLL);
        while open || !under_way.is_empty() {
            tokio::select! {
                request = receiver.recv(), if open && under_way.len() < limit => {
                    let Some(Request { message, answer }) = request else { open = false; continue };
                    // Whoever gave up before it was published has told its sender so: a twin less.
                    if answer.is_closed() {
                        continue;
                    }
                    if connection.status().blocked() {
                        answer.send(Err(PublishError::Blocked)).ok();
                        continue;
                    }
                    // Begun here and not waited for: lapin answers a publish when it is written to
                    // the socket, and one after another would be a write each.
                    let channel = &channel;
                    under_way.push(async move {
                        let Message { route, body, properties, .. } = message;
                        let publish = publish(channel, &route, &body, properties);
                        let confirmed = timeout(CONFIRM_LIMIT, publish).await;
                        (route, answer, confirmed)
                    });
                }
                Some((route, answer, confirmed)) = under_way.next() => {
                    let confirmed =
                        confirmed.map_err(|_| QueueError::Timeout("a publish".to_owned()))??;
                    // A waiter that gave up no longer listens; its message is in the queue.
                    let outcome = outcome(&confirmed);
                    answer.send(outcome).ok();
                    refusals.judge(&route, outcome)?;
                }
                _ = watch.tick() => {
                    if !connection.status().connected() {
                        return Err(QueueError::Timeout("the connection".to_owned()));
                    }
                    let now = connection.status().blocked();
                    if now != blocked {
                        blocked = now;
                        report(&check, blocked);
                    }
                }
            }
        }
        Ok(())
    }
}

/// Publishes and waits for the confirm. The first poll takes the delivery tag and queues the frames,
/// so that one task that polls many of these keeps them apart. It hangs while the broker blocks the
/// connection.
async fn publish(
    channel: &Channel,
    route: &Route,
    body: &[u8],
    properties: BasicProperties,
) -> Result<Confirmation, QueueError> {
    channel
        .basic_publish(
            route.exchange().into(),
            route.key().into(),
            // Not `mandatory`: pipelined, a returned message can reach another's confirm. The
            // alternate exchange keeps what finds no queue.
            BasicPublishOptions::default(),
            body,
            properties,
        )
        .await
        .map_err(QueueError::during("publish a message"))?
        .await
        .map_err(QueueError::during("have a message confirmed"))
}

/// Since when each queue has refused everything.
#[derive(Default)]
struct Refusals(HashMap<Route, Instant>);

impl Refusals {
    /// An error when the queue has refused everything for too long.
    fn judge(
        &mut self,
        route: &Route,
        outcome: Result<(), PublishError>,
    ) -> Result<(), QueueError> {
        if outcome.is_ok() {
            self.0.remove(route);
            return Ok(());
        }
        let since = self.0.entry(*route).or_insert_with(Instant::now);
        if since.elapsed() <= REFUSAL_LIMIT {
            return Ok(());
        }
        Err(QueueError::Refusing(route.key()))
    }
}

fn report(check: &runtime::Check, blocked: bool) {
    if blocked {
        tracing::warn!("RabbitMQ blocks publishers: an alarm for memory or disk");
        check.failing("RabbitMQ blocks publishers: an alarm for memory or disk");
    } else {
        tracing::info!("RabbitMQ takes messages again");
        check.well();
    }
}

fn outcome(confirmation: &Confirmation) -> Result<(), PublishError> {
    match confirmation {
        Confirmation::Ack(None) => Ok(()),
        Confirmation::Ack(Some(_)) | Confirmation::Nack(_) | Confirmation::NotRequested => {
            Err(PublishError::Refused)
        }
    }
}
