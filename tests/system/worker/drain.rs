//! A worker that is told to stop: nothing is lost, and nothing is left for the broker to return
//! (interface §1).

use std::time::{Duration, Instant};

use core_sim::{Endpoint, Fault, FaultKind};
use futures_util::future::join_all;
use harness::{TestSystem, eventually};
use lapin::{options::BasicGetOptions, types::AMQPValue};
use queue::WORK;
use serde_json::json;

use super::{
    campus_under_test::{CampusUnderTest, SOON},
    load::Load,
    queue::assert_queues_are_empty,
};

const LIMIT: Duration = Duration::from_secs(25);

/// Ends a worker, and answers how long that took.
async fn terminate(system: &TestSystem, worker: usize) -> Duration {
    let begin = Instant::now();
    let status = system.worker(worker).terminate(LIMIT).await.unwrap();
    assert_eq!(status.code(), Some(0), "{status}");
    begin.elapsed()
}

/// Asserts that no message in the work queue was returned by the broker, which counts towards the
/// delivery limit, and answers how many there are.
pub(super) async fn assert_none_was_returned(system: &TestSystem) -> usize {
    let channel = system.broker.channel().await;
    let mut messages = 0;
    // Those that were taken are returned when the channel ends with this function.
    while let Some(message) =
        channel.basic_get(WORK.into(), BasicGetOptions::default()).await.unwrap()
    {
        messages += 1;
        let headers = message.properties.headers().clone().unwrap_or_default();
        let count = headers.inner().get("x-delivery-count").cloned();
        assert!(
            matches!(count, None | Some(AMQPValue::LongLongInt(0))),
            "delivered {count:?} times before"
        );
        assert!(!message.redelivered);
    }
    messages
}

#[tokio::test]
async fn a_worker_that_is_stopped_under_load_leaves_the_rest_to_another() {
    let system =
        TestSystem::builder().workers(2).variable("WORKER_CORE_CONCURRENCY", "4").spawn().await;
    let campus = CampusUnderTest::first(&system);
    for worker in 0..2 {
        terminate(&system, worker).await;
    }
    let slow = FaultKind::Latency { ms: 20, jitter_ms: 20, stale: false };
    system.core.add_fault(Fault::everywhere(slow).at(Endpoint::Member));
    // More than a worker holds at once.
    let load = Load::on(campus, 200);
    let events = load.run(500).await;
    let client = system.database.client();
    system.start_again("worker", 0).await;
    eventually("some events are done", SOON, async || Load::ended(client).await > 20).await;

    terminate(&system, 0).await;
    let done = Load::ended(client).await;
    let left = assert_none_was_returned(&system).await;
    assert_eq!(usize::try_from(done).unwrap() + left, events.len());
    assert!(left > 0, "it was to be stopped in the middle");

    system.start_again("worker", 1).await;
    eventually("every event has come to its end", SOON, async || {
        Load::has_arrived(client, &events).await
    })
    .await;
    terminate(&system, 1).await;
    load.assert_done(client, &events).await;
    assert_queues_are_empty(&system).await;
}

#[tokio::test]
async fn a_worker_whose_core_hangs_still_stops_in_time() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    // It has logged in already.
    campus.bring(json!({"full_name": "First"})).await;
    let members: Vec<String> =
        (0..30).map(|n| campus.create(json!({"full_name": format!("Member {n}")}))).collect();
    system.core.add_fault(Fault::everywhere(FaultKind::Hang).at(Endpoint::Member));
    let events = join_all(members.iter().map(|member| campus.post("member.created", member))).await;
    eventually("fetches hang", SOON, async || system.core.requests(Endpoint::Member) > 10).await;

    terminate(&system, 0).await;
    assert_none_was_returned(&system).await;
    system.core.clear_faults();
    system.start_again("worker", 0).await;
    for event in &events {
        assert_eq!(campus.end_of(event).await["status"], "processed");
    }
    assert_queues_are_empty(&system).await;
}

#[tokio::test]
async fn what_failed_together_is_settled_side_by_side() {
    const EVENTS: usize = 200;
    let system = TestSystem::builder().variable("RETRY_DELAYS", "1m").spawn().await;
    let campus = CampusUnderTest::first(&system);
    let member = campus.bring(json!({"full_name": "Budi"})).await;
    let away = FaultKind::Status { status: 503, retry_after: None };
    system.core.add_fault(Fault::everywhere(away).at(Endpoint::Member));
    // The first fails alone, after it has tried again for what might have been transient; all others share the
    // next read.
    join_all((0..EVENTS).map(|_| campus.post("member.updated", &member))).await;
    let waiting = "member-events.retry.1m";
    eventually("the first has failed", SOON, async || system.queue_depth(waiting).await > Some(0))
        .await;
    assert!(terminate(&system, 0).await < LIMIT);
    let delayed = system.queue_depth(waiting).await.unwrap_or(0);
    let returned = assert_none_was_returned(&system).await;
    assert_eq!(usize::try_from(delayed).unwrap() + returned, EVENTS);
}
