//! The worker: consume → admit → fetch → map + filter → commit → settle, any number of them side
//! by side. The rules that let them work without talking to each other are in `shared/store`.

mod config;
mod core;
mod event;
mod metrics;
mod side_queues;
mod writer;

use std::sync::Arc;

use anyhow::Context;
use arc_swap::ArcSwap;
use core_api::AnswerMemory;
use database::Pool;
use instances::Heartbeat;
use queue::{
    Broker, DEAD, Declarations, Link, Publisher, PublisherOptions, QueueError, QueueWatch,
    REJECTIONS, RetryQueue, UNROUTED, WORK, lapin::Connection,
};
use retry::RetrySchedule;
use runtime::{Daemon, Program, variables};
use tokio::sync::{RwLock, mpsc};
use tokio_util::sync::CancellationToken;

pub use config::{Config, VARIABLES};

use crate::{
    core::{cores::Cores, limits::Share},
    event::consume::Intake,
    metrics::Metrics,
    writer::session::Sessions,
};

/// Who this is.
pub const PROGRAM: Program =
    Program { name: "worker", admin_listen: variables::WORKER_ADMIN_LISTEN };

/// What every part of the worker works with.
struct Worker {
    publisher: Publisher,
    sessions: Sessions,
    cores: Cores,
    schedule: RetrySchedule,
    metrics: Arc<Metrics>,
    /// Held to write by a drain while it stops to consume: no ack, no new delivery.
    acks: RwLock<()>,
    /// Cancelled late in a drain, and when Postgres is away for long: what is still held goes back
    /// to the queue. A new one follows when that is done.
    give_back: ArcSwap<CancellationToken>,
}

impl Worker {
    /// Whether what is held leaves no room to see what others have in the queue.
    fn is_crowded(&self) -> bool {
        self.cores.share().is_crowded(self.metrics.held())
    }
}

/// Works until the daemon is told to stop, then drains: stop consuming, finish or give back what
/// is held, and only then close what settling needs.
pub async fn run(config: Config, daemon: Daemon) -> anyhow::Result<()> {
    tracing::info!(
        admin_address = %daemon.admin_address,
        version = env!("CARGO_PKG_VERSION"),
        "worker started, admin on {}", daemon.admin_address
    );
    let Daemon { shutdown, health, .. } = daemon;
    let stop = CancellationToken::new();
    let metrics = Arc::new(Metrics::new());
    let pool = Pool::new(&config.database).context("cannot make the database pool")?;
    let link = |name, check| Link {
        broker: Broker::new(config.amqp.clone(), name),
        declarations: Declarations::of_events(config.topology)
            .and_retries(config.schedule.delays().into_iter().map(RetryQueue).collect())
            .and_rejections(),
        check: health.check(check),
    };

    let (publisher, publishing) = Publisher::start(
        link("worker publisher", "rabbitmq_publisher"),
        PublisherOptions::default(),
        stop.clone(),
    );
    let sessions = Sessions::start(
        config.database.clone(),
        health.check("postgres"),
        Arc::clone(&metrics),
        stop.clone(),
    );
    let memory = AnswerMemory::new(config.answer_bytes);
    metrics::observe_answers(&memory);
    let cores = Cores::new(
        pool.clone(),
        config.sealer.clone(),
        config.allowed_hosts.clone(),
        Share::of(usize::from(config.prefetch), config.core_concurrency),
        memory,
        shutdown.clone(),
    )
    .context("cannot make the client of the core")?;
    let worker = Arc::new(Worker {
        publisher,
        sessions,
        cores,
        schedule: config.schedule.clone(),
        metrics: Arc::clone(&metrics),
        acks: RwLock::default(),
        give_back: ArcSwap::default(),
    });

    let delays = config.schedule.delays().into_iter().map(|delay| RetryQueue(delay).name());
    let queues = QueueWatch::new(
        [WORK, DEAD, UNROUTED, REJECTIONS].map(str::to_owned).into_iter().chain(delays),
    );
    pool.observe();
    let heartbeat = Heartbeat::new(PROGRAM.name, env!("CARGO_PKG_VERSION"), health.clone());
    let telling = tokio::spawn(heartbeat.keep(pool.clone(), stop.clone()));
    metrics::observe_cores(&worker);
    metrics::backlog::observe_backlog(&metrics.last_taken, &queues);
    tokio::spawn(metrics::dead_letters::count(pool.clone(), stop.clone()));

    let (jobs, waiting) = mpsc::channel(usize::from(config.prefetch));
    let admitting = tokio::spawn(event::admit::admit(Arc::clone(&worker), waiting, stop.clone()));
    let collecting = {
        let link = link("worker collector", "rabbitmq_collector");
        let (pool, stop) = (pool.clone(), stop.clone());
        tokio::spawn(async move {
            link.keep(&stop, |connection| {
                link.check.well();
                side_queues::dead_letters::collect(connection, &pool, &metrics, &stop)
            })
            .await;
        })
    };
    let side_queues = {
        let (link, pool) = (link("worker side queues", "rabbitmq_side_queues"), pool.clone());
        let (worker, stop) = (Arc::clone(&worker), stop.clone());
        tokio::spawn(async move {
            link.keep(&stop, |connection| {
                link.check.well();
                serve_side_queues(connection, &link, &worker, &pool, &queues, &stop)
            })
            .await;
        })
    };
    let link = link("worker", "rabbitmq_consumer");
    let intake = Intake {
        prefetch: config.prefetch,
        jobs,
        shutdown: shutdown.clone(),
        check: link.check.clone(),
    };
    link.keep(&shutdown, |connection| event::consume::consume(connection, &worker, &intake)).await;

    // Only now, when nothing is held any more.
    stop.cancel();
    for part in [admitting, collecting, side_queues, publishing, telling] {
        part.await.context("a part of the worker panicked")?;
    }
    Ok(())
}

/// Everything that is neither an event on its way nor a dead letter, on one connection.
async fn serve_side_queues(
    connection: Connection,
    link: &Link,
    worker: &Worker,
    pool: &Pool,
    queues: &QueueWatch,
    stop: &CancellationToken,
) -> Result<(), QueueError> {
    let drains = async {
        let audit = side_queues::rejections::audit(&connection, pool, stop);
        tokio::try_join!(audit, side_queues::unrouted::drain(&connection, link, worker, stop))
            .map(drop)
    };
    let result = tokio::select! {
        result = drains => result,
        // Its end at a shutdown must not cut the others' short.
        Err(error) = queues.keep(&connection, stop) => Err(error),
    };
    connection.close(200, "stopped".into()).await.ok();
    result
}
