//! Postgres away for a worker and a gateway, and RabbitMQ slow, then away, for the gateway alone.

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
    for proxy in [&proxies.worker_to_postgres, &proxies.gateway_to_postgres] {
        proxy.set(Mode::BlackHole);
    }
    for row in 3..13 {
        campus.post("member.updated", &member(row)).await;
    }
    // One at a time: a gateway gives up a confirm that takes much longer.
    proxies.gateway_to_rabbitmq.set(Mode::Latency(SLOW));
    for row in 1..3 {
        campus.post("member.updated", &member(row)).await;
    }
    let of_both = [
        "ConfirmsSlow",
        "ProgramNotReady",
        "BacklogNotTaken",
        "CampusesOutdated",
        "PoolExhausted",
        "WorkerStuck",
    ];
    prometheus.announces(since, &of_both.map(|alert| (alert, None))).await;

    // What was held meanwhile is done, and late; and a gateway that cannot publish.
    let since = Utc::now();
    for proxy in [&proxies.worker_to_postgres, &proxies.gateway_to_postgres] {
        proxy.set(Mode::Forward);
    }
    prometheus.until_quiet(&["NoGateway", "WebhooksAnswered503"]).await;
    proxies.gateway_to_rabbitmq.set(Mode::BlackHole);
    let bodies: Vec<_> = (0..3).map(|row| campus.body("member.updated", &member(row))).collect();
    let answers = join_all(bodies.iter().map(|body| system.post(&campus, body))).await;
    assert!(answers.iter().all(|answer| answer.status == 503), "{answers:?}");
    let of_the_rest = ["EventsLate", "WebhooksAnswered503", "NoGateway"];
    prometheus.announces(since, &of_the_rest.map(|alert| (alert, None))).await;
}
