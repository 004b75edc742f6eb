//! A campus whose core is in trouble waits for itself and slows nobody (decision 6).

use std::time::{Duration, Instant};

use core_sim::{Endpoint, Fault, FaultKind, Options};
use futures_util::future::join_all;
use harness::{Campus, TestSystem, eventually};
use serde_json::json;

use super::{campus_under_test::CampusUnderTest, queue::assert_queues_are_empty};

/// Everything put off, and its campus's core well again: the delays and a probe.
const RECOVERED: Duration = Duration::from_mins(1);

/// A worker that holds few events, and two campuses with a core that answers both.
async fn two_campuses() -> (TestSystem, Campus) {
    let options = Options::default();
    let second = options.churches[1].clone();
    let system = TestSystem::builder()
        .core(options)
        .variable("RETRY_DELAYS", "500ms,1s,2s")
        .variable("WORKER_PREFETCH", "32")
        .spawn()
        .await;
    let added = system.add_campus(&second, &[]).await;
    // A gateway knows it within a second; until then it answers 404 whatever the signature.
    let body = format!(r#"{{"church_id":"{}"}}"#, second.id);
    eventually("the gateway knows the second campus", RECOVERED, async || {
        system.post_signed("another secret", &body).await.status == 401
    })
    .await;
    (system, added)
}

async fn until_processed(campus: CampusUnderTest<'_>, events: &[String]) {
    let ids: Vec<&str> = events.iter().map(String::as_str).collect();
    eventually("all events are processed", RECOVERED, async || {
        let query =
            "SELECT count(*) FROM webhook_logs WHERE event_id = ANY($1) AND status = 'processed'";
        let processed = campus.system.database.rows(query, &[&ids]).await[0]["count"].as_u64();
        if processed == Some(events.len() as u64) { Ok(()) } else { Err(format!("{processed:?}")) }
    })
    .await;
}

#[tokio::test]
async fn a_church_whose_core_hangs_does_not_slow_the_others() {
    let (system, added) = two_campuses().await;
    let hanging = CampusUnderTest::first(&system);
    let healthy = CampusUnderTest::of(&system, &added);
    let people: Vec<String> =
        (0..60).map(|n| hanging.create(json!({"full_name": format!("Person {n}")}))).collect();
    let one = hanging.create(json!({"full_name": "Somebody with many events"}));
    let fault = Fault::everywhere(FaultKind::Hang).at(Endpoint::Member);
    let fault = system.core.add_fault(fault.of_church(hanging.church_id()));

    // One member with many events, and many members: each could fill the worker's hands by itself.
    let mut held = join_all((0..60).map(|_| hanging.post("member.updated", &one))).await;
    let member = healthy.create(json!({"full_name": "Ani"}));
    assert_eq!(healthy.sync("member.created", &member).await["attempts"], 1);
    held.extend(join_all(people.iter().map(|id| hanging.post("member.created", id))).await);
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(12) {
        let member = healthy.create(json!({"full_name": "Budi"}));
        assert_eq!(healthy.sync("member.created", &member).await["attempts"], 1);
    }

    system.core.remove_fault(fault);
    until_processed(hanging, &held).await;
    assert!(system.database.rows("SELECT FROM dead_letters", &[]).await.is_empty());
    assert_queues_are_empty(&system).await;
}

#[tokio::test]
async fn a_core_that_is_away_is_probed_and_not_besieged() {
    let (system, _) = two_campuses().await;
    let campus = CampusUnderTest::first(&system);
    let people: Vec<String> =
        (0..80).map(|n| campus.create(json!({"full_name": format!("Person {n}")}))).collect();
    let away = Fault::everywhere(FaultKind::Status { status: 503, retry_after: None });
    let fault = system.core.add_fault(away.at(Endpoint::Member));
    let events = join_all(people.iter().map(|id| campus.post("member.created", id))).await;
    let requests = || system.core.requests(Endpoint::Member);
    eventually("the core is left alone", RECOVERED, async || {
        let rows = system.database.rows("SELECT FROM webhook_logs WHERE status = 'retrying'", &[]);
        rows.await.len() == events.len()
    })
    .await;
    // From here on there are probes only, each with what it bridges; 80 events that each ask on
    // their own would send hundreds.
    let (before, begin) = (requests(), Instant::now());
    tokio::time::sleep(Duration::from_secs(6)).await;
    let probes = begin.elapsed().as_secs() + 1;
    assert!(requests() - before <= 8 * probes, "{} requests", requests() - before);

    // Without a human hand.
    system.core.remove_fault(fault);
    until_processed(campus, &events).await;
    let attempts = "SELECT max(attempts) FROM webhook_logs";
    let attempts = system.database.rows(attempts, &[]).await[0]["max"].as_u64();
    assert!(attempts < Some(10), "being put off is no attempt: {attempts:?}");
    assert_queues_are_empty(&system).await;
}

#[tokio::test]
async fn a_core_that_asks_for_a_pause_gets_it() {
    let (system, added) = two_campuses().await;
    let limited = CampusUnderTest::first(&system);
    let other = CampusUnderTest::of(&system, &added);
    let people: Vec<String> =
        (0..20).map(|n| limited.create(json!({"full_name": format!("Person {n}")}))).collect();
    // Once, with an answer that all requests under way at that moment may get.
    let wish = Fault::everywhere(FaultKind::RateLimited { retry_after: Some(8), plain: false });
    let fault = system.core.add_fault(wish.at(Endpoint::Member).of_church(limited.church_id()));
    let first = limited.post("member.created", &people[0]).await;
    eventually("the core has said that there were too many requests", RECOVERED, async || {
        !limited.log(&first).await.is_empty()
    })
    .await;
    system.core.remove_fault(fault);
    let (asked, begin) = (Instant::now(), system.core.requests(Endpoint::Member));
    let mut events =
        join_all(people[1..].iter().map(|id| limited.post("member.created", id))).await;
    events.push(first);
    // Others are not part of it.
    let member = other.create(json!({"full_name": "Budi"}));
    assert_eq!(other.sync("member.created", &member).await["attempts"], 1);
    eventually("the core is asked again", RECOVERED, async || {
        system.core.requests(Endpoint::Member) > begin + 1
    })
    .await;
    assert!(asked.elapsed() > Duration::from_secs(5), "{:?}", asked.elapsed());
    until_processed(limited, &events).await;
    assert_queues_are_empty(&system).await;
}

/// A core that answers each request in so long.
fn answers_in(milliseconds: u64) -> Fault {
    let kind = FaultKind::Latency { ms: milliseconds, jitter_ms: 0, stale: false };
    Fault::everywhere(kind).at(Endpoint::Member)
}

#[tokio::test]
async fn a_core_that_is_slow_is_kept_busy_and_nothing_dies_unasked() {
    const EVENTS: u32 = 240;
    const SLOTS: u32 = 16;
    let latency = Duration::from_millis(1300);
    let options = Options::default();
    let second = options.churches[1].clone();
    let system = TestSystem::builder()
        .core(options)
        // The usual delays, and an outage age shorter than what the slots take.
        .variable("RETRY_OUTAGE_AGE", "1s")
        .variable("WORKER_PREFETCH", "64")
        .spawn()
        .await;
    let added = system.add_campus(&second, &[]).await;
    let slow = CampusUnderTest::first(&system);
    let healthy = CampusUnderTest::of(&system, &added);
    slow.bring(json!({"full_name": "First"})).await;
    let people: Vec<String> =
        (0..EVENTS).map(|n| slow.create(json!({"full_name": format!("Person {n}")}))).collect();
    system.core.add_fault(answers_in(1300).of_church(slow.church_id()));
    let before = system.core.requests(Endpoint::Member);
    let events = join_all(people.iter().map(|id| slow.post("member.created", id))).await;
    let begin = Instant::now();
    let mut others = 0;
    while system.core.requests(Endpoint::Member) - before - others < u64::from(EVENTS) {
        let member = healthy.create(json!({"full_name": "Budi"}));
        assert_eq!(healthy.sync("member.created", &member).await["attempts"], 1);
        others += 1;
    }
    // The last of them is on its way: all slots but those of the last round were busy.
    let ideal = latency * (EVENTS / SLOTS - 1);
    let took = begin.elapsed();
    assert!(took.mul_f64(0.75) < ideal, "{took:?} where {ideal:?} are possible");
    until_processed(slow, &events).await;
    let counters = system.core.counters();
    assert_eq!(counters.concurrent_max_by_church[slow.church_id()], u64::from(SLOTS));
    let attempts = "SELECT DISTINCT attempts FROM webhook_logs";
    assert_eq!(system.database.rows(attempts, &[]).await, [json!({"attempts": 1})]);
    assert!(system.database.rows("SELECT FROM dead_letters", &[]).await.is_empty());
    assert_queues_are_empty(&system).await;
}

#[tokio::test]
async fn what_an_outage_put_off_is_asked_for_before_it_dies() {
    let system = TestSystem::builder()
        .variable("RETRY_DELAYS", "300ms")
        .variable("RETRY_OUTAGE_AGE", "2s")
        .spawn()
        .await;
    let campus = CampusUnderTest::first(&system);
    let people: Vec<String> =
        (0..60).map(|n| campus.create(json!({"full_name": format!("Person {n}")}))).collect();
    let away = Fault::everywhere(FaultKind::Status { status: 503, retry_after: None });
    system.core.add_fault(away.at(Endpoint::Member));
    let events = join_all(people.iter().map(|id| campus.post("member.created", id))).await;
    eventually("all are dead letters", RECOVERED * 2, async || {
        let letters = system.database.rows("SELECT FROM dead_letters", &[]).await.len();
        if letters == events.len() { Ok(()) } else { Err(format!("{letters} of them")) }
    })
    .await;
    for person in &people {
        assert!(system.core.member_requests(person) > 0, "never asked for");
    }
}
