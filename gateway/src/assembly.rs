//! The gateway as a whole: its parts are built, started, and ended in the order that answers everything in flight.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use campus::DirectoryHandle;
use database::Pool;
use instances::{DRAINING, Gaps, Heartbeat, TakenUntil};
use public_port::Tls;
use queue::{Broker, Declarations, Link, Publisher, PublisherOptions};
use runtime::{Check, Daemon, Health, Program, variables};
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::Config,
    intake::{
        body::BodyReader,
        budget::{BODY_BYTES, Budget, SMALL_BODY_RESERVE_BYTES},
        connections::Connections,
        public_socket::PublicSocket,
        server::Server,
    },
    metrics::{self, Metrics, campus_names, queue_depths, unfinished::Unfinished},
    webhook::{
        checks::Checks,
        limiter::Limiter,
        receive::Receiver,
        refused::{audit::Audit, clue::Examiner, record::Refusals},
        service::Service,
    },
};

/// The gateway, to what runs daemons.
pub const PROGRAM: Program =
    Program { name: "gateway", admin_listen: variables::GATEWAY_ADMIN_LISTEN };

/// How much may be on its way to RabbitMQ at once.
const PUBLISHING: PublisherOptions = PublisherOptions { channels: 4, waiting: 512 };

/// How much of the audit may be.
const AUDITING: PublisherOptions = PublisherOptions { channels: 1, waiting: 64 };

/// What a campus may send at once: a second's worth of its limit.
const RATE_LIMIT_BURST: Duration = Duration::from_secs(1);

/// How long connections to a passed socket wait for a gateway to be ready: FaithFlow waits for 2 s in all.
const READY_LIMIT: Duration = Duration::from_millis(1500);

/// How long RabbitMQ and Postgres may take to take leave.
const CLOSE_LIMIT: Duration = Duration::from_secs(4);

/// Serves webhooks until the daemon's shutdown, and drains: not ready, no more connections, an answer for everything in
/// flight, RabbitMQ last.
pub async fn run(config: Config, daemon: Daemon) -> anyhow::Result<()> {
    // Before anyone can ask: a program without checks would be ready.
    let (campuses, rabbitmq) = (daemon.health.check("campuses"), daemon.health.check("rabbitmq"));
    let socket = config.socket.open()?;
    let (address, admin_address) = (socket.listener.local_addr()?, daemon.admin_address);
    tracing::info!(
        %address, %admin_address, passed = socket.is_passed,
        "listening on {address} (admin {admin_address})",
    );

    let stop = CancellationToken::new();
    let gaps = Arc::new(Gaps::default());
    let directory = DirectoryHandle::default();
    let (database, sealer) = (config.database.clone(), config.sealer.clone());
    tokio::spawn(directory.clone().refresh(database, sealer, campuses, stop.clone()));
    tokio::spawn(say_draining(daemon.shutdown.clone(), daemon.health.clone()));
    let taken_until = watch_backlog(&config, &stop)?;
    let metrics = Arc::new(Metrics::new());
    let telling = start_heartbeat(&config, &daemon.health, (&gaps, taken_until, &metrics), &stop)?;
    let (publisher, publishing) =
        Publisher::start(events_link(&config, rabbitmq), PUBLISHING, stop.clone());
    let (audit, auditing) = Publisher::start(audit_link(&config), AUDITING, stop.clone());

    let upstream = Upstream { directory, publisher, audit, gaps, metrics };
    let is_passed = socket.is_passed;
    let server = build_server(config, socket, upstream, daemon.shutdown.clone(), &stop);
    if is_passed {
        until_ready(&daemon).await;
    }
    server.serve().await;

    stop.cancel();
    let closed = async { tokio::join!(publishing, auditing, telling) };
    timeout(CLOSE_LIMIT, closed).await.ok();
    Ok(())
}

/// Leaves connections to a passed socket in the kernel's queue until they can be answered, for as long as their senders
/// have patience: a 503 is only better than no answer.
async fn until_ready(daemon: &Daemon) {
    tokio::select! {
        () = daemon.health.until_ready() => {}
        () = daemon.shutdown.cancelled() => {}
        () = sleep(READY_LIMIT) => {
            tracing::warn!("not ready yet: webhooks are answered 503 until RabbitMQ and Postgres are reached");
        }
    }
}

/// What the gateway's answers depend on.
struct Upstream {
    directory: DirectoryHandle,
    publisher: Publisher,
    audit: Publisher,
    gaps: Arc<Gaps>,
    /// What is counted of them.
    metrics: Arc<Metrics>,
}

/// Looks at what waits behind the gateway, on connections that no webhook waits for. Answers how far the work queue is
/// taken.
fn watch_backlog(config: &Config, stop: &CancellationToken) -> anyhow::Result<Arc<TakenUntil>> {
    let pool = Pool::new(&config.database.with_pool_size(1))
        .context("cannot make the connection for what metrics ask of Postgres")?;
    let (queues, taken_until) = (queue_depths::queues(), Arc::<TakenUntil>::default());
    let unfinished = Unfinished::observe(queues.clone(), Arc::clone(&taken_until));
    tokio::spawn(unfinished.keep(pool.clone(), stop.clone()));
    tokio::spawn(campus_names::keep(pool, stop.clone()));
    tokio::spawn(queue_depths::watch(config.amqp.clone(), config.topology, queues, stop.clone()));
    Ok(taken_until)
}

/// Tells other programs that this one runs, what it took and what it could not, and how far the work queue is taken.
fn start_heartbeat(
    config: &Config,
    health: &Health,
    (gaps, taken_until, metrics): (&Arc<Gaps>, Arc<TakenUntil>, &Arc<Metrics>),
    stop: &CancellationToken,
) -> anyhow::Result<JoinHandle<()>> {
    let pool = Pool::new(&config.database.with_pool_size(1))
        .context("cannot make the connection to tell that this instance runs on")?;
    let heartbeat = Heartbeat::new(PROGRAM.name, env!("CARGO_PKG_VERSION"), health.clone())
        .with_gaps(Arc::clone(gaps))
        .with_taken_until(taken_until)
        .with_state({
            let metrics = Arc::clone(metrics);
            move || metrics.told()
        });
    Ok(tokio::spawn(heartbeat.keep(pool, stop.clone())))
}

fn events_link(config: &Config, check: Check) -> Link {
    Link {
        broker: Broker::new(config.amqp.clone(), PROGRAM.name),
        // Delays are the worker's business.
        declarations: Declarations::of_events(config.topology),
        check,
    }
}

/// No webhook may suffer for the audit: it has a connection of its own, and a health that nobody asks.
fn audit_link(config: &Config) -> Link {
    Link {
        broker: Broker::new(config.amqp.clone(), "gateway audit"),
        declarations: Declarations::of_rejections(),
        check: Health::default().check("rabbitmq"),
    }
}

fn build_server(
    config: Config,
    socket: PublicSocket,
    upstream: Upstream,
    shutdown: CancellationToken,
    stop: &CancellationToken,
) -> Server {
    let Upstream { directory, publisher, audit, gaps, metrics } = upstream;
    let tls = keep_certificate(config.tls, stop);
    let connections = Connections::new(Arc::clone(&metrics));
    let budget = Budget::new(BODY_BYTES, SMALL_BODY_RESERVE_BYTES);
    let tasks = TaskTracker::new();
    metrics::observe(connections.limit(), tasks.clone(), &budget, &directory);
    let bodies = BodyReader {
        max_body_bytes: config.max_body_bytes,
        budget,
        connections: Arc::clone(&connections),
    };
    let checks = Arc::new(Checks {
        limiter: Limiter::new(RATE_LIMIT_BURST),
        audit: Audit::start(audit),
        examiner: Examiner::new(),
    });
    let receiver = Receiver { directory, bodies, checks, publisher, metrics: Arc::clone(&metrics) };
    let service = Arc::new(Service {
        receiver,
        metrics: Arc::clone(&metrics),
        proxies: config.trusted_proxies,
        refusals: Refusals::new(Arc::clone(&metrics), gaps),
        shutdown: shutdown.clone(),
    });
    Server { socket, tls, service, connections, metrics, tasks, shutdown }
}

/// Keeps the certificate of the public port fresh, if it speaks TLS.
fn keep_certificate(tls: Option<Tls>, stop: &CancellationToken) -> Option<Arc<Tls>> {
    let tls = tls.map(Arc::new);
    if let Some(tls) = &tls {
        tokio::spawn(Arc::clone(tls).keep_fresh(stop.clone()));
    }
    metrics::observe_certificate(tls.clone());
    tls
}

/// Tells whoever watches to send webhooks elsewhere.
async fn say_draining(shutdown: CancellationToken, health: Health) {
    shutdown.cancelled().await;
    health.check(DRAINING).failing("draining");
}
