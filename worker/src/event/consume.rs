//! Consumes the work queue, for as long as what is taken can be worked on.

use std::{sync::Arc, time::Duration};

use queue::{QueueError, WORK, lapin::Connection};
use runtime::Check;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    context::WorkerContext,
    event::{
        consumer::WorkConsumer,
        drain::{FINISH_LIMIT, drain, work_alone},
        intake::Intake,
        job::Job,
        settle::WorkDelivery,
    },
};

/// How long Postgres may be away before what is held goes back to the queue: others may reach it, and RabbitMQ takes a
/// delivery away from who holds it for half an hour.
const POSTGRES_AWAY_LIMIT: Duration = Duration::from_mins(1);

/// Deliveries without an end after which an event is suspected of causing that (rule worker-16).
const SUSPECT: u32 = 5;

/// How often a connection that nothing is consumed on is looked at.
const CONNECTION_POLL: Duration = Duration::from_millis(500);

/// What a consumer needs beside its connection.
pub(crate) struct Consuming {
    pub(crate) prefetch: u16,
    /// To admission.
    pub(crate) jobs: mpsc::Sender<Job>,
    pub(crate) shutdown: CancellationToken,
    /// Well once events are consumed.
    pub(crate) check: Check,
}

/// Why no more is consumed.
enum End {
    Shutdown,
    PostgresAway,
    Suspect(Box<WorkDelivery>),
    Lost,
}

/// Consumes on one connection until it is lost, or drained after a shutdown. Nothing is taken that could not be worked
/// on: with Postgres away, events wait in the queue.
pub(crate) async fn consume(
    connection: Connection,
    worker: &Arc<WorkerContext>,
    consuming: &Consuming,
) -> Result<(), QueueError> {
    let Consuming { prefetch, jobs, shutdown, check } = consuming;
    while until_postgres_answers(&connection, worker, shutdown).await {
        let mut consumer = WorkConsumer::start(&connection, *prefetch).await?;
        check.well();
        tracing::info!(queue = WORK, prefetch, "consuming");
        let intake = Intake { worker, jobs, shutdown, held: TaskTracker::new() };
        match take_all(&mut consumer, &intake).await? {
            End::Lost => return Ok(()),
            End::Shutdown => drain(&mut consumer, &intake, FINISH_LIMIT).await,
            End::PostgresAway => {
                tracing::warn!("Postgres is away for long: what is held returns to the queue");
                drain(&mut consumer, &intake, Duration::ZERO).await;
            }
            End::Suspect(suspect) => work_alone(*suspect, &mut consumer, &intake).await,
        }
        consumer.close().await;
    }
    connection
        .close(200, "drained".into())
        .await
        .map_err(QueueError::during("close the connection"))
}

/// Takes deliveries until there is a reason not to.
async fn take_all(consumer: &mut WorkConsumer, intake: &Intake<'_>) -> Result<End, QueueError> {
    let postgres_away = intake.worker.sessions.away_for(POSTGRES_AWAY_LIMIT);
    tokio::pin!(postgres_away);
    loop {
        let delivery = tokio::select! {
            () = intake.shutdown.cancelled() => return Ok(End::Shutdown),
            () = &mut postgres_away => return Ok(End::PostgresAway),
            delivery = consumer.next() => delivery?,
        };
        let Some(delivery) = delivery else { return Ok(End::Lost) };
        if delivery.headers().history.crashes >= SUSPECT {
            return Ok(End::Suspect(Box::new(delivery)));
        }
        intake.take(delivery).await;
    }
}

/// Waits for a session with Postgres. False once there is no use in it: a shutdown, or the connection is gone.
async fn until_postgres_answers(
    connection: &Connection,
    worker: &WorkerContext,
    shutdown: &CancellationToken,
) -> bool {
    let connection_lost = async {
        while connection.status().connected() {
            tokio::time::sleep(CONNECTION_POLL).await;
        }
    };
    tokio::select! {
        session = worker.sessions.current(shutdown) => session.is_some(),
        () = connection_lost => false,
    }
}
