//! Consumes the work queue, for as long as what is taken can be worked on.

use std::{ops::ControlFlow, pin::Pin, sync::Arc, time::Duration};

use queue::{QueueError, WORK, lapin::Connection};
use runtime::Check;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    context::WorkerContext,
    event::{
        consumer::WorkConsumer,
        drain::{FINISH_LIMIT, drain, return_others, work_alone},
        intake::Intake,
        job::Job,
        settle::delivery::WorkDelivery,
    },
};

/// How long Postgres may be away before what is held goes back to the queue: others may reach it, and RabbitMQ takes a
/// delivery away from who holds it for half an hour.
const POSTGRES_AWAY_LIMIT: Duration = Duration::from_mins(1);

/// So many in a row that are not suspected, and all are taken side by side again. After a broker that was restarted again
/// and again the suspects are many, and stand next to each other.
const CLEARED: u32 = 4;

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

/// How many deliveries are held at a time.
#[derive(Clone, Copy)]
enum Holding {
    /// As many as the prefetch allows.
    Many,
    /// One: among them are events that are suspected of killing workers.
    One,
}

/// Why no more is consumed.
enum End {
    Shutdown,
    PostgresAway,
    Suspect(Box<WorkDelivery>),
    /// Nobody is suspected any more.
    Cleared,
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
    let mut holding = Holding::Many;
    while until_postgres_answers(&connection, worker, shutdown).await {
        let prefetch = match holding {
            Holding::Many => *prefetch,
            Holding::One => 1,
        };
        let mut consumer = WorkConsumer::start(&connection, prefetch).await?;
        check.well();
        tracing::info!(queue = WORK, prefetch, "consuming");
        let intake = Intake { worker, jobs, shutdown, held: TaskTracker::new() };
        let end = match holding {
            Holding::Many => take_all(&mut consumer, &intake).await?,
            Holding::One => take_one_by_one(&mut consumer, &intake).await?,
        };
        match end {
            End::Lost => return Ok(()),
            End::Shutdown => drain(&mut consumer, &intake, FINISH_LIMIT).await,
            End::PostgresAway => {
                tracing::warn!("Postgres is away for long: what is held returns to the queue");
                drain(&mut consumer, &intake, Duration::ZERO).await;
            }
            End::Suspect(suspect) => {
                return_others(&mut consumer, &intake).await;
                work_alone(*suspect, &intake).await;
                holding = Holding::One;
            }
            End::Cleared => {
                for delivery in consumer.cancel(&worker.settler).await {
                    work_alone(delivery, &intake).await;
                }
                holding = Holding::Many;
            }
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
        match next(consumer, intake, postgres_away.as_mut()).await? {
            ControlFlow::Continue(delivery) if delivery.is_suspected() => {
                return Ok(End::Suspect(Box::new(delivery)));
            }
            ControlFlow::Continue(delivery) => intake.take(delivery).await,
            ControlFlow::Break(end) => return Ok(end),
        }
    }
}

/// Works on one delivery after the other, until nobody is suspected any more. Nothing else is held beside a suspect, and
/// where there are many of them none costs more than its own work.
async fn take_one_by_one(
    consumer: &mut WorkConsumer,
    intake: &Intake<'_>,
) -> Result<End, QueueError> {
    let postgres_away = intake.worker.sessions.away_for(POSTGRES_AWAY_LIMIT);
    tokio::pin!(postgres_away);
    let mut unsuspected = 0;
    while unsuspected < CLEARED {
        match next(consumer, intake, postgres_away.as_mut()).await? {
            ControlFlow::Continue(delivery) => {
                unsuspected = if delivery.is_suspected() { 0 } else { unsuspected + 1 };
                work_alone(delivery, intake).await;
            }
            ControlFlow::Break(end) => return Ok(end),
        }
    }
    Ok(End::Cleared)
}

/// The next delivery, or why there is none.
async fn next(
    consumer: &mut WorkConsumer,
    intake: &Intake<'_>,
    postgres_away: Pin<&mut impl Future<Output = ()>>,
) -> Result<ControlFlow<End, WorkDelivery>, QueueError> {
    let delivery = tokio::select! {
        () = intake.shutdown.cancelled() => return Ok(ControlFlow::Break(End::Shutdown)),
        () = postgres_away => return Ok(ControlFlow::Break(End::PostgresAway)),
        delivery = consumer.next() => delivery?,
    };
    Ok(delivery.map_or(ControlFlow::Break(End::Lost), ControlFlow::Continue))
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
