//! Postgres away for a worker and a gateway, and RabbitMQ slow and away for the gateway alone.

use std::time::Duration;

use chrono::Utc;
use futures_util::future::join_all;
use harness::{TestSystem, proxy::Mode};

use super::prometheus::Prometheus;
use crate::worker::campus_under_test::CampusUnderTest;

pub(super) const ALERTS: [&str; 8] = [
    "BacklogNotTaken",
    "CampusesOutdated",
    "ConfirmsSlow",
    "EventsLate",
    "PoolExhausted",
    "ProgramNotReady",
    "WebhooksAnswered503",
    "WorkerStuck",
];

/// A confirm takes two of them.
const SLOW: Duration = Duration::from_millis(350);

pub(super) async fn fails() {
    // A worker that holds few events, so that some wait.
    let builder = TestSystem::builder().proxied().variable("WORKER_PREFETCH", "4");
    let system = builder.spawn().await;
    let campus = CampusUnderTest::first(&system);
    let member = |row| system.core.member_id(campus.church_id(), row).unwrap();
    campus.sync("member.updated", &member(0)).await;
    let prometheus = Prometheus::watching(&system).await;
    prometheus.until("gateway_events_accepted_total > 0").await;
    prometheus.until_quiet(&ALERTS).await;

    let since = Utc::now();
    let proxies = system.proxies();
    proxies.gateway_to_rabbitmq.set(Mode::Latency(SLOW));
    campus.post("member.updated", &member(1)).await;
    campus.post("member.updated", &member(2)).await;
    prometheus.announces(since, &[("ConfirmsSlow", None)]).await;
    proxies.gateway_to_rabbitmq.set(Mode::Forward);

    let since = Utc::now();
    for proxy in [&proxies.worker_to_postgres, &proxies.gateway_to_postgres] {
        proxy.set(Mode::BlackHole);
    }
    for row in 3..13 {
        campus.post("member.updated", &member(row)).await;
    }
    let of_postgres =
        ["ProgramNotReady", "BacklogNotTaken", "CampusesOutdated", "PoolExhausted", "WorkerStuck"];
    prometheus.announces(since, &of_postgres.map(|alert| (alert, None))).await;

    // What was held meanwhile is done, and late.
    let since = Utc::now();
    for proxy in [&proxies.worker_to_postgres, &proxies.gateway_to_postgres] {
        proxy.set(Mode::Forward);
    }
    prometheus.announces(since, &[("EventsLate", None)]).await;

    // A gateway that cannot publish.
    let since = Utc::now();
    proxies.gateway_to_rabbitmq.set(Mode::BlackHole);
    let bodies: Vec<_> = (0..3).map(|row| campus.body("member.updated", &member(row))).collect();
    let answers = join_all(bodies.iter().map(|body| system.post(&campus, body))).await;
    assert!(answers.iter().all(|answer| answer.status == 503), "{answers:?}");
    prometheus.announces(since, &[("WebhooksAnswered503", None), ("NoGateway", None)]).await;
}
