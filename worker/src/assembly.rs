//! The worker as a whole: its parts are built, started, and ended in the order that leaves nothing behind.

use std::sync::Arc;

use anyhow::Context;
use core_api::AnswerMemory;
use database::Pool;
use instances::{Heartbeat, Instance};
use queue::{
    Broker, DEAD, Declarations, Link, Publisher, PublisherOptions, QueueWatch, REJECTIONS,
    RetryQueue, UNROUTED, WORK,
};
use runtime::{Daemon, Health, Program, variables};
use serde_json::{Map, Value};
use store::OperationKind;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    config::Config,
    context::{GiveBackSignal, WorkerContext},
    core::{cores::Cores, limits::Limits},
    event::{
        admit::admit,
        consume::{Consuming, consume},
        job::Job,
        settle::Settler,
    },
    metrics::{self, Metrics, backlog, dead_letters},
    operations::executor::Executor,
    side_queues::{dead_letters::collect, serve::serve, unrouted::Unrouted},
    writer::session::SessionWatch,
};

/// The worker, to what runs daemons.
pub const PROGRAM: Program =
    Program { name: "worker", admin_listen: variables::WORKER_ADMIN_LISTEN };

/// So many operations are carried out side by side, at most.
const OPERATIONS_AT_ONCE: usize = 4;

/// Works until the daemon is told to stop, then drains: stop consuming, finish or give back what is held, and only then
/// close what settling needs.
pub async fn run(config: Config, daemon: Daemon) -> anyhow::Result<()> {
    tracing::info!(
        admin_address = %daemon.admin_address,
        version = env!("CARGO_PKG_VERSION"),
        "worker started, admin on {}", daemon.admin_address
    );
    let Daemon { shutdown, health, .. } = daemon;
    let stop = CancellationToken::new();
    let built = Built::new(&config, &health, &shutdown, &stop)?;
    let (parts, operations, jobs) = built.spawn(&config, &health, &shutdown, &stop);
    let consumer = link(&config, &health, "worker", "rabbitmq_consumer");
    let consuming = Consuming {
        prefetch: config.prefetch,
        jobs,
        shutdown: shutdown.clone(),
        check: consumer.check.clone(),
    };
    consumer.keep(&shutdown, |connection| consume(connection, &built.worker, &consuming)).await;

    // It gives an operation back after the batch under way, which is still to be published.
    operations.await.context("carrying out operations panicked")?;
    // Only now, when nothing is held any more.
    stop.cancel();
    for part in parts.into_iter().chain([built.publishing]) {
        part.await.context("a part of the worker panicked")?;
    }
    Ok(())
}

/// The worker's parts, before anything is consumed.
struct Built {
    worker: Arc<WorkerContext>,
    pool: Pool,
    instance: Instance,
    publisher: Publisher,
    unrouted: Unrouted,
    queues: QueueWatch,
    publishing: JoinHandle<()>,
}

impl Built {
    fn new(
        config: &Config,
        health: &Health,
        shutdown: &CancellationToken,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let metrics = Arc::new(Metrics::new());
        let pool = Pool::new(&config.database).context("cannot make the database pool")?;
        let (publisher, publishing) = Publisher::start(
            link(config, health, "worker publisher", "rabbitmq_publisher"),
            PublisherOptions::default(),
            stop.clone(),
        );
        let sessions = SessionWatch::start(
            config.database.clone(),
            health.check("postgres"),
            Arc::clone(&metrics),
            stop.clone(),
        );
        let cores = build_cores(config, &pool, shutdown)?;
        let unrouted = Unrouted { publisher: publisher.clone(), schedule: config.schedule.clone() };
        let instance = Instance::started();
        let settler = Settler::new(
            publisher.clone(),
            config.schedule.clone(),
            Arc::clone(&metrics),
            instance.to_string().into(),
        );
        let give_back = GiveBackSignal::default();
        let worker = Arc::new(WorkerContext { settler, sessions, cores, metrics, give_back });
        let delays = config.schedule.delays().into_iter().map(|delay| RetryQueue(delay).name());
        let queues = QueueWatch::new(
            [WORK, DEAD, UNROUTED, REJECTIONS].map(str::to_owned).into_iter().chain(delays),
        );
        pool.observe();
        metrics::observe_cores(&worker.cores);
        backlog::observe_backlog(&worker.metrics.last_taken, &queues);
        Ok(Self { worker, pool, instance, publisher, unrouted, queues, publishing })
    }

    /// Starts whatever runs beside the consumer; answers it, what carries out operations, and the way to admission.
    fn spawn(
        &self,
        config: &Config,
        health: &Health,
        shutdown: &CancellationToken,
        stop: &CancellationToken,
    ) -> (Vec<JoinHandle<()>>, JoinHandle<()>, mpsc::Sender<Job>) {
        tokio::spawn(dead_letters::count(self.pool.clone(), stop.clone()));
        let heartbeat = Heartbeat::new(PROGRAM.name, env!("CARGO_PKG_VERSION"), health.clone())
            .of(self.instance.clone())
            .with_taken_until(Arc::clone(&self.worker.metrics.last_taken.taken_until))
            .with_state(self.state(config));
        let executor = Executor {
            pool: self.pool.clone(),
            publisher: self.publisher.clone(),
            instance: self.instance.clone(),
            shutdown: shutdown.clone(),
            // One connection is left to the worker's other parts.
            at_once: config.database.pool_size().saturating_sub(1).clamp(1, OPERATIONS_AT_ONCE),
        };
        let (jobs, waiting) = mpsc::channel(usize::from(config.prefetch));
        let parts = vec![
            tokio::spawn(admit(Arc::clone(&self.worker), waiting, stop.clone())),
            self.spawn_collector(config, health, stop),
            self.spawn_side_queues(config, health, stop),
            tokio::spawn(heartbeat.keep(self.pool.clone(), stop.clone())),
        ];
        (parts, tokio::spawn(executor.keep()), jobs)
    }

    /// What this worker tells of itself in its row of `instances`: what it has done and holds, how it deals with the campuses'
    /// cores, and its delay queues, which nobody else can know.
    fn state(&self, config: &Config) -> impl Fn() -> Map<String, Value> + Send + Sync + 'static {
        let (cores, metrics) = (Arc::clone(&self.worker.cores), Arc::clone(&self.worker.metrics));
        let delays = config.schedule.delays().into_iter();
        let queues: Vec<String> = delays.map(|delay| RetryQueue(delay).name()).collect();
        move || {
            let mut told = metrics.told();
            told.insert("breakers".to_owned(), cores.open_breakers().into());
            told.insert("requests_under_way".to_owned(), cores.requests_under_way().into());
            told.insert("retry_queues".to_owned(), queues.clone().into());
            let kinds = OperationKind::OF_WORKERS.map(OperationKind::as_str);
            told.insert("carries_out".to_owned(), kinds.to_vec().into());
            told
        }
    }

    fn spawn_collector(
        &self,
        config: &Config,
        health: &Health,
        stop: &CancellationToken,
    ) -> JoinHandle<()> {
        let link = link(config, health, "worker collector", "rabbitmq_collector");
        let (pool, stop) = (self.pool.clone(), stop.clone());
        let metrics = Arc::clone(&self.worker.metrics);
        let instance = self.instance.to_string();
        tokio::spawn(async move {
            link.keep(&stop, |connection| {
                link.check.well();
                collect(connection, &pool, &metrics, &instance, &stop)
            })
            .await;
        })
    }

    fn spawn_side_queues(
        &self,
        config: &Config,
        health: &Health,
        stop: &CancellationToken,
    ) -> JoinHandle<()> {
        let link = link(config, health, "worker side queues", "rabbitmq_side_queues");
        let (pool, stop) = (self.pool.clone(), stop.clone());
        let (unrouted, queues) = (self.unrouted.clone(), self.queues.clone());
        tokio::spawn(async move {
            link.keep(&stop, |connection| {
                link.check.well();
                serve(connection, &link, &unrouted, &pool, &queues, &stop)
            })
            .await;
        })
    }
}

fn build_cores(
    config: &Config,
    pool: &Pool,
    shutdown: &CancellationToken,
) -> anyhow::Result<Arc<Cores>> {
    let memory = AnswerMemory::new(config.answer_bytes);
    metrics::observe_answers(&memory);
    let cores = Cores::new(
        pool.clone(),
        config.sealer.clone(),
        config.allowed_hosts.clone(),
        Limits::of(usize::from(config.prefetch), config.core_concurrency),
        memory,
        shutdown.clone(),
    );
    Ok(Arc::new(cores.context("cannot make the client of the core")?))
}

/// A connection of its own for a part of the worker, with its check.
fn link(config: &Config, health: &Health, name: &'static str, check: &'static str) -> Link {
    Link {
        broker: Broker::new(config.amqp.clone(), name),
        declarations: Declarations::of_events(config.topology)
            .and_retries(config.schedule.delays().into_iter().map(RetryQueue).collect())
            .and_rejections(),
        check: health.check(check),
    }
}
