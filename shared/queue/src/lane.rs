//! One lane of a publisher: a channel in confirm mode, and what is under way on it.

use std::{
    collections::HashMap,
    future::poll_fn,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use lapin::{BasicProperties, Channel, Confirmation, Connection, options::BasicPublishOptions};
use tokio::{
    sync::{mpsc, oneshot},
    task::unconstrained,
    time::timeout,
};

use crate::{
    condition::Condition,
    error::{PublishError, QueueError},
    message::Message,
    topology::Route,
};

/// A publish that takes longer hangs: a frozen broker, a half-open or a blocked connection. The
/// connection is then given up, and with it everything unconfirmed on it.
pub(crate) const CONFIRM_LIMIT: Duration = Duration::from_secs(15);

/// How long nothing may be confirmed before the broker is said to be slow: as long as a gateway
/// waits before it answers 503.
pub(crate) const SLOW: Duration = Duration::from_millis(1300);

/// How long a queue may refuse everything before the connection is made anew.
///
/// It may be full. But a channel that was opened while the queue's leader was being elected may ask
/// the dead leader for ever, and RabbitMQ (3.10 at least) then refuses each message although the
/// queue is well; a new channel asks the new leader.
const REFUSAL_LIMIT: Duration = Duration::from_secs(3);

/// How often a lane looks for a blocked connection.
const BLOCKED_POLL: Duration = Duration::from_millis(100);

/// A message that somebody waits for.
pub(crate) struct Request {
    pub(crate) message: Message,
    pub(crate) answer: oneshot::Sender<Result<(), PublishError>>,
}

/// The only owner of one confirm-mode channel: tasks that share one can swap their confirms.
pub(crate) struct Lane {
    pub(crate) channel: Channel,
    pub(crate) connection: Arc<Connection>,
    pub(crate) receiver: mpsc::Receiver<Request>,
    pub(crate) limit: usize,
    pub(crate) condition: Arc<Condition>,
}

/// A message that came to an end, and who waits for it.
struct Ended {
    route: Route,
    answer: oneshot::Sender<Result<(), PublishError>>,
    confirmation: Result<Confirmation, QueueError>,
}

impl Lane {
    pub(crate) async fn run(self) -> Result<(), QueueError> {
        let Self { channel, connection, mut receiver, limit, condition } = self;
        let mut under_way = FuturesUnordered::new();
        let mut refusals = Refusals::default();
        let mut open = true;
        let mut last_confirm = Instant::now();
        let mut watch = tokio::time::interval(BLOCKED_POLL);
        while open || !under_way.is_empty() {
            tokio::select! {
                request = receiver.recv(), if open && under_way.len() < limit => {
                    let Some(Request { message, answer }) = request else { open = false; continue };
                    // Whoever gave up before it was published has told its sender so: a duplicate less.
                    if answer.is_closed() {
                        continue;
                    }
                    if connection.status().blocked() {
                        answer.send(Err(PublishError::Blocked)).ok();
                        continue;
                    }
                    if under_way.is_empty() {
                        last_confirm = Instant::now();
                    }
                    // Begun here and not waited for: lapin answers a publish when it is written to
                    // the socket, and one after another would be a write each.
                    let channel = &channel;
                    under_way.push(async move {
                        let Message { route, body, properties, .. } = message;
                        let publish = publish(channel, &route, &body, properties);
                        let confirmation = timeout(CONFIRM_LIMIT, publish)
                            .await
                            .unwrap_or_else(|_| Err(QueueError::Timeout("a publish".to_owned())));
                        Ended { route, answer, confirmation }
                    });
                }
                Some(ended) = all_ended(&mut under_way) => {
                    last_confirm = Instant::now();
                    settle(ended, &mut refusals, &condition)?;
                }
                _ = watch.tick() => {
                    if !connection.status().connected() {
                        return Err(QueueError::Timeout("the connection".to_owned()));
                    }
                    condition.blocked(connection.status().blocked());
                    condition.slow(channel.id(), !under_way.is_empty() && last_confirm.elapsed() > SLOW);
                }
            }
        }
        Ok(())
    }
}

/// All that have ended by now; waits for the first. None when nothing is under way.
///
/// All of them: see [`settle`]. Nothing else may interrupt that, as tokio's budget would.
async fn all_ended<F>(under_way: &mut FuturesUnordered<F>) -> Option<Vec<F::Output>>
where
    F: Future,
{
    let collect = poll_fn(|context| {
        let mut ended = Vec::new();
        loop {
            match under_way.poll_next_unpin(context) {
                Poll::Ready(Some(one)) => ended.push(one),
                Poll::Pending if ended.is_empty() => return Poll::Pending,
                Poll::Ready(None) if ended.is_empty() => return Poll::Ready(None),
                Poll::Pending | Poll::Ready(None) => return Poll::Ready(Some(ended)),
            }
        }
    });
    unconstrained(collect).await
}

/// Answers those who wait, but nobody when a message was returned: it found no queue, and lapin
/// hands it to whichever confirm comes first, so that its own is a plain one. That other confirm
/// was resolved before its own: whoever sees this one sees that one too, if it looks at all that
/// have ended. Then nobody is told anything but that the connection was lost.
fn settle(
    ended: Vec<Ended>,
    refusals: &mut Refusals,
    condition: &Condition,
) -> Result<(), QueueError> {
    let is_return = |one: &&Ended| {
        matches!(one.confirmation, Ok(Confirmation::Ack(Some(_)) | Confirmation::Nack(Some(_))))
    };
    if let Some(returned) = ended.iter().find(is_return) {
        return Err(QueueError::Unroutable(returned.route.key()));
    }
    let mut failure = Ok(());
    for Ended { route, answer, confirmation } in ended {
        let outcome = match confirmation {
            Ok(Confirmation::Ack(None)) => Ok(()),
            Ok(_) => Err(PublishError::Refused),
            Err(error) => {
                failure = Err(error);
                continue;
            }
        };
        // A waiter that gave up no longer listens; its message is in the queue.
        answer.send(outcome).ok();
        if let Err(error) = refusals.record(&route, outcome, condition) {
            failure = Err(error);
        }
    }
    failure
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
            // The alternate exchange keeps what finds no queue; what finds none there either, since
            // both were deleted, would be confirmed and gone.
            BasicPublishOptions { mandatory: true, ..Default::default() },
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
    /// Records an outcome. An error when the queue has refused everything for too long.
    fn record(
        &mut self,
        route: &Route,
        outcome: Result<(), PublishError>,
        condition: &Condition,
    ) -> Result<(), QueueError> {
        if outcome.is_ok() {
            self.0.remove(route);
            condition.taken(*route);
            return Ok(());
        }
        let since = self.0.entry(*route).or_insert_with(Instant::now);
        if since.elapsed() <= REFUSAL_LIMIT {
            return Ok(());
        }
        condition.refused(*route);
        Err(QueueError::Refusing(route.key()))
    }
}
