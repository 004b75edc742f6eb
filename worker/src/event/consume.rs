//! From the work queue into the worker's hands.

use std::time::Duration;

use event::Envelope;
use futures_util::StreamExt;
use queue::{
    QueueError, ReceivedHeaders, WORK,
    lapin::{
        Channel, Connection, Consumer,
        message::Delivery,
        options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions},
        types::FieldTable,
    },
};
use runtime::Check;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Worker,
    event::{
        drain::{self, FINISH_LIMIT},
        job::Job,
        settle,
    },
};

/// How long Postgres may be away before what is held goes back to the queue: others may reach it,
/// and RabbitMQ takes a delivery away from who holds it for half an hour.
const POSTGRES_PATIENCE: Duration = Duration::from_mins(1);

/// Deliveries without an end after which an event is suspected of causing that.
const SUSPECT: u32 = 5;

/// How often a connection that nothing is consumed on is looked at.
const CONNECTION_POLL: Duration = Duration::from_millis(500);

/// How long a delivery may wait to be returned at a shutdown.
const RETURN_LIMIT: Duration = Duration::from_secs(3);

/// What a consumer needs beside its connection.
pub(crate) struct Intake {
    pub(crate) prefetch: u16,
    pub(crate) jobs: mpsc::Sender<Job>,
    pub(crate) shutdown: CancellationToken,
    /// Well once events are consumed.
    pub(crate) check: Check,
}

/// Why no more is consumed.
enum End {
    Shutdown,
    PostgresAway,
    Suspect(Box<Delivery>),
    Lost,
}

/// Consumes on one connection until it is lost, or drained after a shutdown. Nothing is taken that
/// could not be worked on: with Postgres away, events wait in the queue.
pub(crate) async fn consume(
    connection: Connection,
    worker: &Worker,
    intake: &Intake,
) -> Result<(), QueueError> {
    while until_postgres_answers(&connection, worker, intake).await {
        let channel = open(&connection, intake.prefetch).await?;
        let mut consumer = start(&channel, WORK).await?;
        intake.check.well();
        tracing::info!(queue = WORK, prefetch = intake.prefetch, "consuming");
        // Acks go by the channel that a delivery came by, so each is drained by itself.
        let held = TaskTracker::new();
        match take_all(&mut consumer, worker, intake, &held).await? {
            End::Lost => return Ok(()),
            End::Shutdown => {
                drain::drain(&channel, consumer, worker, intake, held, FINISH_LIMIT).await;
            }
            End::PostgresAway => {
                tracing::warn!("Postgres is away for long: what is held returns to the queue");
                drain::drain(&channel, consumer, worker, intake, held, Duration::ZERO).await;
            }
            End::Suspect(suspect) => {
                drain::alone(*suspect, &channel, consumer, worker, intake, held).await;
            }
        }
        // Not left to its drop: that closes it too, but a connection that is closed meanwhile takes
        // that for its own error. One that the broker closed already is of no more use either.
        channel.close(200, "drained".into()).await.ok();
    }
    connection
        .close(200, "drained".into())
        .await
        .map_err(QueueError::during("close the connection"))
}

/// Takes deliveries until there is a reason not to.
async fn take_all(
    consumer: &mut Consumer,
    worker: &Worker,
    intake: &Intake,
    held: &TaskTracker,
) -> Result<End, QueueError> {
    let postgres_away = worker.sessions.away_for(POSTGRES_PATIENCE);
    tokio::pin!(postgres_away);
    loop {
        let delivery = tokio::select! {
            () = intake.shutdown.cancelled() => return Ok(End::Shutdown),
            () = &mut postgres_away => return Ok(End::PostgresAway),
            delivery = consumer.next() => delivery,
        };
        let Some(delivery) = delivery else { return Ok(End::Lost) };
        let delivery = delivery.map_err(QueueError::during("consume events"))?;
        if is_suspect(&delivery) {
            return Ok(End::Suspect(Box::new(delivery)));
        }
        take(delivery, worker, intake, held).await;
    }
}

/// Whether what takes this delivery has crashed so often that it had better be alone with it.
fn is_suspect(delivery: &Delivery) -> bool {
    ReceivedHeaders::read(&delivery.properties).history.crashes >= SUSPECT
}

/// Waits for a session with Postgres. False once there is no use in it: a shutdown, or the
/// connection is gone.
async fn until_postgres_answers(connection: &Connection, worker: &Worker, intake: &Intake) -> bool {
    let connection_lost = async {
        while connection.status().connected() {
            tokio::time::sleep(CONNECTION_POLL).await;
        }
    };
    tokio::select! {
        live = worker.sessions.live(&intake.shutdown) => live.is_some(),
        () = connection_lost => false,
    }
}

/// Hands a delivery to admission.
pub(crate) async fn take(delivery: Delivery, worker: &Worker, intake: &Intake, held: &TaskTracker) {
    let Some(job) = read(delivery, worker, held) else { return };
    tokio::select! {
        biased;
        Ok(room) = intake.jobs.reserve() => room.send(job),
        // Admission holds everything for Postgres: a shutdown does not wait for it.
        () = intake.shutdown.cancelled() => {
            tokio::time::timeout(RETURN_LIMIT, settle::give_back(worker, &job)).await.ok();
        }
    }
}

/// The job that a delivery is. A message that this program cannot read goes on without one: one
/// that a newer version wrote waits for that, anything else is a dead letter at once.
pub(crate) fn read(delivery: Delivery, worker: &Worker, held: &TaskTracker) -> Option<Job> {
    let headers = ReceivedHeaders::read(&delivery.properties);
    match Envelope::decode(&delivery.data) {
        Ok(envelope) => {
            let job = Job::new(envelope, headers, delivery, held.token());
            worker.metrics.received(&job);
            Some(job)
        }
        Err(error) => {
            let trace = queue::process(&delivery, &headers, WORK);
            trace.span().record("error.type", "invalid_event");
            let message = settle::unreadable(&worker.schedule, &delivery, &headers, &error, &trace);
            tracing::error!(
                %error, delivery_id = %settle::id_of(&delivery), route = message.route.key(),
                trace_id = %trace.id(), "a message cannot be read"
            );
            // Beside those that can: many of them must not hold the others up.
            let (publisher, token) = (worker.publisher.clone(), held.token());
            let give_up = worker.give_back.load_full();
            tokio::spawn(async move {
                if settle::publish(&publisher, message, &give_up).await {
                    delivery.ack(BasicAckOptions::default()).await.ok();
                }
                drop(token);
            });
            None
        }
    }
}

/// A channel with its own prefetch; quorum queues refuse a global one.
pub(crate) async fn open(connection: &Connection, prefetch: u16) -> Result<Channel, QueueError> {
    let channel =
        connection.create_channel().await.map_err(QueueError::during("open a channel"))?;
    channel
        .basic_qos(prefetch, BasicQosOptions::default())
        .await
        .map_err(QueueError::during("set the prefetch"))?;
    Ok(channel)
}

/// Starts to consume; the broker names the consumer.
pub(crate) async fn start(channel: &Channel, queue: &str) -> Result<Consumer, QueueError> {
    channel
        .basic_consume(
            queue.into(),
            "".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await
        .map_err(QueueError::during("start to consume"))
}
