//! No worker, no reconciler, no gateway; and what waits meanwhile.

use std::time::{Duration, Instant};

use chrono::Utc;
use harness::TestSystem;
use queue::{
    DEAD, EXCHANGE,
    lapin::{BasicProperties, options::BasicPublishOptions},
};

use super::prometheus::Prometheus;
use crate::worker::campus_under_test::CampusUnderTest;

pub(super) const ALERTS: [&str; 9] = [
    "BacklogOld",
    "DeadLettersNotCollected",
    "DeadLettersUnknown",
    "NoGateway",
    "NoWorker",
    "NobodyConsumes",
    "ProgramDown",
    "WorkQueueNearlyFull",
    "ProgramNotReady",
];

/// What the work queue holds.
const LENGTH: usize = 10;
const SOON: Duration = Duration::from_secs(30);

pub(super) async fn fail() {
    let builder = TestSystem::builder().reconcilers(1);
    let system = builder.variable("QUEUE_MAX_LENGTH", LENGTH.to_string()).spawn().await;
    let campus = CampusUnderTest::first(&system);
    let member = system.core.member_id(campus.church_id(), 0).unwrap();
    campus.sync("member.updated", &member).await;
    let prometheus = Prometheus::watching(&system).await;
    prometheus.until("queue_consumers{queue=\"member-events.work\"} > 0").await;
    prometheus.until_quiet(&ALERTS).await;

    // The only worker is started again with a setting that is none, and ends at once.
    let since = Utc::now();
    let worker = system.worker(0);
    worker.kill();
    worker.wait().await;
    worker.set_variable("WORKER_PREFETCH", "many");
    worker.start().unwrap();
    assert_eq!(worker.wait().await.and_then(|status| status.code()), Some(2));
    let waits_since = Instant::now();
    for _ in 1..LENGTH {
        campus.post("member.updated", &member).await;
    }
    let channel = system.broker.channel().await;
    let options = BasicPublishOptions::default();
    let properties = BasicProperties::default().with_delivery_mode(2);
    channel.basic_publish(EXCHANGE.into(), DEAD.into(), options, b"{}", properties).await.unwrap();
    let of_worker = [
        "NoWorker",
        "ProgramDown",
        "NobodyConsumes",
        "WorkQueueNearlyFull",
        "BacklogOld",
        "DeadLettersNotCollected",
        "DeadLettersUnknown",
    ];
    prometheus.announces(since, &of_worker.map(|alert| (alert, None))).await;

    // A gateway that was started since knows how old the oldest event is.
    system.gateway(0).terminate(SOON).await.unwrap();
    let (started, started_at) = (Instant::now(), Utc::now().timestamp());
    system.start_again("gateway", 0).await;
    let by_it =
        format!("on (instance) (process_start_time_seconds{{job=\"gateway\"}} >= {started_at})");
    let oldest = "events_oldest_unfinished_age_seconds{state=\"queued\"} > 0";
    let told = prometheus.until(&format!("{oldest} and {by_it}")).await;
    let waited = waits_since.elapsed().as_secs_f64();
    assert!(started.elapsed() < waits_since.elapsed() / 2, "it was started late");
    assert!(told > waited - 5.0 && told < waited + 15.0, "{told} s of {waited} s");

    prometheus.until_quiet(&["NoGateway"]).await;
    let since = Utc::now();
    for program in [system.reconciler(0), system.gateway(0)] {
        program.kill();
    }
    prometheus.announces(since, &[("NoReconciler", None), ("NoGateway", None)]).await;
}
