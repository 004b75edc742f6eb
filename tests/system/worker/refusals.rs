//! Refusals: the core answers, and the answer is of no use. A few attempts, then an operator
//! (interface §1 `RETRY_DELAYS`, §4 `dead_letters`).

use std::time::Duration;

use chrono::DateTime;
use core_sim::{Endpoint, Fault, FaultKind, Options, Webhook};
use harness::{TestSystem, eventually};
use serde_json::{Value, json};

use super::{
    campus_under_test::{CampusUnderTest, SOON},
    queue::assert_queues_are_empty,
};

#[tokio::test]
async fn a_member_that_the_core_does_not_know_becomes_a_dead_letter_and_nobody_is_archived() {
    let system = TestSystem::builder().variable("RETRY_DELAYS", "1s,200ms").spawn().await;
    let campus = CampusUnderTest::first(&system);
    let member = campus.bring(json!({"full_name": "Budi"})).await;
    let row = campus.member(&member).await;
    system.core.purge(&member, Webhook::Silent).unwrap();

    let event = campus.post("member.updated", &member).await;
    let retrying = eventually("the event waits for its next attempt", SOON, async || {
        campus.log(&event).await.pop()
    })
    .await;
    assert_eq!((&retrying["status"], &retrying["attempts"]), (&json!("retrying"), &json!(1)));
    assert_eq!((&retrying["message"], &retrying["processed_at"]), (&Value::Null, &Value::Null));
    assert!(retrying["error"].as_str().is_some_and(|error| error.ends_with('.')), "{retrying}");

    let log = campus.end_of(&event).await;
    assert_eq!((&log["status"], &log["attempts"]), (&json!("dead"), &json!(3)));
    assert_eq!((&log["id"], &log["trace_id"]), (&retrying["id"], &retrying["trace_id"]));
    assert_eq!((&log["message"], &log["error"]), (&Value::Null, &retrying["error"]));
    assert_ne!(log["processed_at"], Value::Null);

    let letter = campus.dead_letter(&event).await;
    assert_eq!(letter["id"], log["id"]);
    assert_eq!(letter["event_id"], event);
    assert_eq!(letter["campus_id"], campus.id.as_str());
    assert_eq!(letter["event_type"], "member.updated");
    assert_eq!(letter["member_id"], member);
    assert_eq!(letter["cause"], "member_not_found");
    assert_eq!(letter["reason"], log["error"]);
    assert_eq!(letter["attempts"], 3);
    assert_eq!(letter["status"], "open");
    assert_eq!(letter["replay_count"], 0);
    assert_eq!((&letter["resolved_at"], &letter["note"]), (&Value::Null, &Value::Null));
    let trace = letter["trace_id"].as_str().unwrap();
    assert!(trace.len() == 32 && trace == log["trace_id"], "{trace}");
    let at = |value: &Value| DateTime::parse_from_rfc3339(value.as_str().unwrap()).unwrap();
    assert!(at(&log["received_at"]) <= at(&letter["first_failed_at"]) + Duration::from_millis(1));
    assert!(at(&letter["first_failed_at"]) + Duration::from_millis(1200) <= at(&letter["dead_at"]));
    let envelope = &letter["envelope"];
    assert_eq!((&envelope["delivery_id"], &envelope["event_id"]), (&log["id"], &json!(event)));
    assert_eq!((&envelope["member_id"], &envelope["schema_version"]), (&json!(member), &json!(1)));

    assert_eq!(system.core.member_requests(&member), 1 + 3);
    assert_eq!(campus.member(&member).await, row);
    assert_queues_are_empty(&system).await;
    for queue in ["member-events.retry.1s", "member-events.retry.200ms"] {
        assert_eq!(system.queue_depth(queue).await, Some(0));
    }
}

#[tokio::test]
async fn a_refusal_that_passes_costs_an_attempt_and_nothing_else() {
    let system = TestSystem::builder().variable("RETRY_DELAYS", "1s").spawn().await;
    let campus = CampusUnderTest::first(&system);
    let event = campus.post("member.created", "late").await;
    eventually("the first attempt failed", SOON, async || !campus.log(&event).await.is_empty())
        .await;
    let answer = json!({"id": "late", "church_id": campus.church_id(), "full_name": "Late"});
    system.core.put(campus.church_id(), "late", answer).unwrap();
    let log = campus.end_of(&event).await;
    assert_eq!((&log["status"], &log["attempts"]), (&json!("processed"), &json!(2)));
    assert_eq!((&log["message"], &log["error"]), (&json!("Member created: Late"), &Value::Null));
    assert!(system.database.rows("SELECT FROM dead_letters", &[]).await.is_empty());
}

#[tokio::test]
async fn every_useless_answer_has_its_cause() {
    let options = Options::default();
    let foreign_church = options.churches[1].id.clone();
    let system =
        TestSystem::builder().core(options).variable("RETRY_DELAYS", "100ms").spawn().await;
    let campus = CampusUnderTest::first(&system);
    let rules = json!([{"field": "occupation", "operator": "not_equals", "value": "Robot"}]);
    let filter = ["campus", "set-filter", &campus.id, "--mode", "include", "--rules", "-"];
    system.faithctl_with_input(&filter, rules.to_string().as_bytes()).await.success();

    let faulty = |kind: FaultKind| {
        let member = campus.create(json!({"full_name": "Unlucky"}));
        system.core.add_fault(Fault::everywhere(kind).at(Endpoint::Member).of_member(&member));
        member
    };
    let without = |key: &str| {
        let member = campus.create(json!({"full_name": "Incomplete"}));
        system.core.remove_keys(&member, &[key]).unwrap();
        member
    };
    let status = |status| FaultKind::Status { status, retry_after: None };
    system.core.set(|settings| settings.foreign_member_status = 403);
    let foreign = json!({"full_name": "Foreign"});
    let foreign = system.core.create(&foreign_church, foreign, Webhook::Silent).unwrap();
    system.core.put(campus.church_id(), "asked", json!({"id": "another"})).unwrap();

    let cases = [
        (foreign.member.text("id").unwrap().to_owned(), "core_forbidden"),
        (faulty(status(403)), "core_forbidden"),
        (faulty(status(404)), "member_not_found"),
        (faulty(status(410)), "member_not_found"),
        (faulty(status(400)), "core_bad_response"),
        (faulty(status(422)), "core_bad_response"),
        (faulty(FaultKind::TruncatedJson), "core_bad_response"),
        (faulty(FaultKind::UnknownShape), "core_bad_response"),
        ("asked".to_owned(), "core_bad_response"),
        (without("id"), "core_bad_response"),
        (without("church_id"), "core_bad_response"),
        // Null is an answer to the filter, absence is none.
        (without("occupation"), "core_bad_response"),
    ];
    let mut events = Vec::new();
    for (member, cause) in &cases {
        events.push((campus.post("member.updated", member).await, member, cause));
    }
    for (event, member, cause) in events {
        let letter = campus.dead_letter(&event).await;
        assert_eq!((&letter["cause"], &letter["attempts"]), (&json!(cause), &json!(2)), "{letter}");
        assert_eq!(campus.log(&event).await[0]["status"], "dead");
        assert_eq!(system.core.member_requests(member), 2, "{cause}");
    }
    assert!(system.database.rows("SELECT FROM members", &[]).await.is_empty());
    assert_queues_are_empty(&system).await;
}
