//! The gateway: takes webhooks in, verifies them, gets them durably queued, and only then says so.
//!
//! No database work is done for a request: campuses are a snapshot in memory. [`webhook::receive`] tells
//! the story of one webhook. Raw bytes become a [`Payload`] only through [`Verified`], which only
//! [`Signature::verify`] makes.

mod config;
mod intake;
mod metrics;
mod webhook;

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use campus::DirectoryHandle;
use database::Pool;
use instances::{Gaps, Heartbeat};
use queue::{Broker, Declarations, Link, Publisher, PublisherOptions};
use runtime::{Daemon, Health, Program, variables};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use config::{Config, VARIABLES};
pub use webhook::{
    payload::{Address, Payload},
    refusal::{Refusal, Unavailable},
    signature::{Signature, Verified},
};

use crate::{
    intake::{body::Intake, budget::Budget, connections::Connections, server::Server},
    metrics::Metrics,
    webhook::{
        checks::Checks,
        limiter::Limiter,
        receive::Receiver,
        refused::{audit::Audit, clue::Examiner, record::Reports},
        service::Service,
    },
};

/// Who the gateway is.
pub const PROGRAM: Program =
    Program { name: "gateway", admin_listen: variables::GATEWAY_ADMIN_LISTEN };

/// Bytes of bodies that may be in memory at once: sixteen of the largest that are usual.
const BODY_BUDGET_BYTES: usize = 256 * 1024 * 1024;

/// Bytes beyond them that only small bodies may take: honest webhooks pass by whatever fills the rest.
const SMALL_BODY_RESERVE_BYTES: usize = 32 * 1024 * 1024;

/// How much may be on its way to RabbitMQ at once.
const PUBLISHING: PublisherOptions = PublisherOptions { channels: 4, waiting: 512 };

/// How much of the audit may be.
const AUDITING: PublisherOptions = PublisherOptions { channels: 1, waiting: 64 };

/// What a campus may send at once: a second's worth of its limit.
const RATE_LIMIT_BURST: Duration = Duration::from_secs(1);

/// How long RabbitMQ and Postgres may take to take leave.
const CLOSE_LIMIT: Duration = Duration::from_secs(4);

/// Serves webhooks until the daemon's shutdown, and drains: not ready, no more connections, an
/// answer for everything in flight, RabbitMQ last.
pub async fn run(config: Config, daemon: Daemon) -> anyhow::Result<()> {
    // Before anyone can ask: a program without checks would be ready.
    let (campuses, rabbitmq) = (daemon.health.check("campuses"), daemon.health.check("rabbitmq"));
    let listener = runtime::bind(variables::GATEWAY_LISTEN, config.listen)?;
    let (address, admin_address) = (listener.local_addr()?, daemon.admin_address);
    tracing::info!(
        %address, %admin_address,
        "listening on {address} (admin {admin_address})",
    );

    let stop = CancellationToken::new();
    let gaps = Arc::new(Gaps::default());
    let pool = Pool::new(&config.database.with_pool_size(1))
        .context("cannot make the connection to tell that this instance runs on")?;
    let heartbeat = Heartbeat::new(PROGRAM.name, env!("CARGO_PKG_VERSION"), daemon.health.clone())
        .with_gaps(Arc::clone(&gaps));
    let telling = tokio::spawn(heartbeat.keep(pool, stop.clone()));
    let directory = DirectoryHandle::default();
    tokio::spawn(directory.clone().refresh(config.database, config.sealer, campuses, stop.clone()));
    tokio::spawn(metrics::queue_depths::watch(config.amqp.clone(), config.topology, stop.clone()));
    // Nobody's webhook may suffer for the audit: it has a connection of its own, and a health that
    // nobody asks.
    let audit_link = Link {
        broker: Broker::new(config.amqp.clone(), "gateway audit"),
        declarations: Declarations::of_rejections(),
        check: Health::default().check("rabbitmq"),
    };
    let (audit_publisher, auditing) = Publisher::start(audit_link, AUDITING, stop.clone());
    let link = Link {
        broker: Broker::new(config.amqp, PROGRAM.name),
        // Delays are the worker's business.
        declarations: Declarations::of_events(config.topology),
        check: rabbitmq,
    };
    let (publisher, publishing) = Publisher::start(link, PUBLISHING, stop.clone());
    let tls = config.tls.map(Arc::new);
    if let Some(tls) = &tls {
        tokio::spawn(Arc::clone(tls).keep_fresh(stop.clone()));
    }

    metrics::observe_certificate(tls.clone());
    let metrics = Arc::new(Metrics::new());
    let connections = Connections::new(Arc::clone(&metrics));
    let budget = Budget::new(BODY_BUDGET_BYTES, SMALL_BODY_RESERVE_BYTES);
    let tasks = TaskTracker::new();
    metrics::observe(connections.limit(), tasks.clone(), &budget, &directory);
    let receiver = Receiver {
        directory,
        intake: Intake {
            max_body_bytes: config.max_body_bytes,
            budget,
            connections: Arc::clone(&connections),
        },
        checks: Arc::new(Checks {
            limiter: Limiter::new(RATE_LIMIT_BURST),
            audit: Audit::start(audit_publisher),
            examiner: Examiner::new(),
        }),
        publisher,
        metrics: Arc::clone(&metrics),
    };
    let service = Arc::new(Service {
        receiver,
        metrics: Arc::clone(&metrics),
        proxies: config.trusted_proxies,
        reports: Reports::new(Arc::clone(&metrics), gaps),
        shutdown: daemon.shutdown.clone(),
    });
    tokio::spawn(say_draining(daemon.shutdown.clone(), daemon.health));
    let shutdown = daemon.shutdown;
    Server { listener, tls, service, connections, metrics, tasks, shutdown }.serve().await;

    stop.cancel();
    let closed = async { tokio::join!(publishing, auditing, telling) };
    tokio::time::timeout(CLOSE_LIMIT, closed).await.ok();
    Ok(())
}

/// Tells whoever watches to send webhooks elsewhere.
async fn say_draining(shutdown: CancellationToken, health: Health) {
    shutdown.cancelled().await;
    health.check("shutdown").failing("draining");
}
