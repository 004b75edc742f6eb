//! What deliveries went through: a row for each failed attempt, once, and none where all goes well.

use chrono::{DateTime, TimeDelta};
use core_sim::{Endpoint, Fault, FaultKind, Webhook};
use harness::{TestSystem, eventually};
use serde_json::{Value, json};

use super::{
    campus_under_test::{CampusUnderTest, SOON},
    queue::publish,
};

/// What was noted of an event's deliveries but what operators did, in the order of time.
async fn attempts(system: &TestSystem, event: &str) -> Vec<Value> {
    let query = "SELECT a.* FROM delivery_attempts a JOIN webhook_logs l ON l.id = a.delivery_id
                     AND l.received_at = a.received_at
                 WHERE l.event_id = $1 AND a.kind IN ('failed', 'put_off_first', 'dead') ORDER BY a.at";
    system.database.rows(query, &[&event]).await
}

fn kinds(attempts: &[Value]) -> Vec<(&str, i64)> {
    let of = |row: &'_ Value| row["attempt"].as_i64().unwrap();
    attempts.iter().map(|row| (row["kind"].as_str().unwrap(), of(row))).collect()
}

fn at(value: &Value) -> DateTime<chrono::FixedOffset> {
    DateTime::parse_from_rfc3339(value.as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn each_failed_attempt_is_noted_until_the_death_and_anew_after_a_replay() {
    let system = TestSystem::builder().variable("RETRY_DELAYS", "100ms,200ms").spawn().await;
    let campus = CampusUnderTest::first(&system);
    let good = campus.bring(json!({"full_name": "Budi"})).await;
    campus.sync("member.updated", &good).await;
    let all = "SELECT FROM delivery_attempts";
    assert!(system.database.rows(all, &[]).await.is_empty(), "what goes well leaves no row");

    let member = campus.create(json!({"full_name": "Gone"}));
    system.core.purge(&member, Webhook::Silent).unwrap();
    let event = campus.post("member.updated", &member).await;
    campus.dead_letter(&event).await;
    let noted = attempts(&system, &event).await;
    let once = [("failed", 1), ("failed", 2), ("dead", 3)];
    assert_eq!(kinds(&noted), once, "{noted:?}");
    let log = &campus.log(&event).await[0];
    for (row, delay) in noted.iter().zip([Some(100), Some(200), None]) {
        assert_eq!((&row["delivery_id"], &row["received_at"]), (&log["id"], &log["received_at"]));
        assert_eq!((&row["cause"], &row["reason"]), (&json!("member_not_found"), &log["error"]));
        let waits = delay.map(|_| at(&row["next_at"]) - at(&row["at"]));
        assert_eq!(waits.map(|waits| waits.num_milliseconds()), delay, "{row}");
        assert_eq!(row["operation_id"], Value::Null);
    }
    let instances = "SELECT host || '/' || id AS instance FROM instances WHERE program = 'worker'";
    let instances = system.database.rows(instances, &[]).await;
    assert!(noted.iter().all(|row| row["instance"] == instances[0]["instance"]), "{noted:?}");

    system.faithctl(&["dead-letters", "replay", "--yes"]).await.success();
    eventually("it has died again", SOON, async || {
        let noted = attempts(&system, &event).await;
        if kinds(&noted) == [once, once].concat() { Ok(()) } else { Err(format!("{noted:?}")) }
    })
    .await;

    // All of it is shown, and who replayed it.
    let shown = system.faithctl(&["deliveries", "show", &event, "--json"]).await.json();
    let steps = shown["delivery_attempts"].as_array().unwrap();
    let replay = steps.iter().find(|step| step["kind"] == "replayed").unwrap();
    assert!(replay["operation_id"].is_string() && replay["by"].is_string(), "{replay}");
    assert_eq!(steps.len(), 2 * once.len() + 1, "{steps:?}");
    let by = replay["by"].as_str().unwrap();
    let delivery = log["id"].as_str().unwrap();
    let sheet = system.faithctl(&["deliveries", "show", delivery]).await.success();
    for step in ["confirmed by the queue", "attempt 2 failed", "dead after 3 attempts", by] {
        assert!(sheet.contains(step), "{step:?} is missing: {sheet}");
    }
}

#[tokio::test]
async fn a_message_that_is_delivered_twice_is_noted_once() {
    let system = TestSystem::builder().variable("RETRY_DELAYS", "1h").spawn().await;
    let campus = CampusUnderTest::first(&system);
    let envelope = campus.envelope("member.updated", "unknown", TimeDelta::zero());
    for copies in 1..=3 {
        publish(&system, &envelope).await;
        eventually("the copy failed too", SOON, async || {
            system.queue_depth("member-events.retry.1h").await == Some(copies)
        })
        .await;
    }
    let noted = attempts(&system, &envelope.event_id).await;
    assert_eq!(kinds(&noted), [("failed", 1)], "{noted:?}");
}

#[tokio::test]
async fn the_first_putting_off_is_noted_and_no_further_one() {
    let system = TestSystem::builder().variable("RETRY_DELAYS", "200ms").spawn().await;
    let campus = CampusUnderTest::first(&system);
    let member = campus.bring(json!({"full_name": "Budi"})).await;
    let put_off = async |times: f64| {
        eventually("events were put off often", SOON, async || {
            system.worker_metric(0, "worker_events_settled_total", "put_off").await >= times
        })
        .await;
    };

    system.faithctl(&["campus", "pause", &campus.id]).await.success();
    let paused = campus.post("member.updated", &member).await;
    put_off(3.0).await;
    let noted = attempts(&system, &paused).await;
    assert_eq!(kinds(&noted), [("put_off_first", 0)], "{noted:?}");
    assert_eq!(
        (&noted[0]["cause"], &noted[0]["reason"]),
        (&Value::Null, &json!("Its campus is paused."))
    );
    assert!(at(&noted[0]["next_at"]) > at(&noted[0]["at"]), "{noted:?}");
    system.faithctl(&["campus", "resume", &campus.id]).await.success();
    campus.end_of(&paused).await;

    let away = FaultKind::Status { status: 503, retry_after: None };
    let away = system.core.add_fault(Fault::everywhere(away).at(Endpoint::Member));
    let mut events = Vec::new();
    for _ in 0..12 {
        let member = campus.create(json!({"full_name": "Later"}));
        events.push(campus.post("member.updated", &member).await);
    }
    put_off(60.0).await;
    system.core.remove_fault(away);
    let mut put_off_once = 0;
    for event in &events {
        campus.end_of(event).await;
        let noted = attempts(&system, event).await;
        let mut seen = kinds(&noted);
        put_off_once += seen.iter().filter(|(kind, _)| *kind == "put_off_first").count();
        assert!(noted.iter().all(|row| row["cause"] == "core_unavailable"), "{noted:?}");
        let all = seen.len();
        seen.sort_unstable();
        seen.dedup_by_key(|(kind, attempt)| (*kind, if *kind == "failed" { *attempt } else { 0 }));
        assert_eq!(seen.len(), all, "{noted:?}");
    }
    assert!(put_off_once >= 5, "{put_off_once} of {} were put off", events.len());
}
