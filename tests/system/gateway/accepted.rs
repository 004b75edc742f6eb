//! The table of interface §2 of what is accepted.

use chrono::{DateTime, Utc};
use harness::{SIGNATURE_HEADER, WEBHOOK_PATH};
use serde_json::{Value, json};

use super::{ANSWER_WITHIN, assert_answer, gateway_alone, post, signature, work_queue};

#[tokio::test]
async fn tests_are_answered_with_the_guides_message_and_a_moment() {
    let system = gateway_alone().spawn().await;
    for event_type in ["test", "ping"] {
        let body = json!({"event_type": event_type, "church_id": system.campus.core_church_id});
        let answer = post(&system, &body).await;
        let timestamp = answer.json()["timestamp"].as_str().unwrap().to_owned();
        let text = format!(
            "{{\"success\":true,\"message\":\"Webhook test successful! FaithTracker is ready to \
             receive member updates.\",\"timestamp\":\"{timestamp}\"}}"
        );
        assert_answer(&answer, 200, &text);
        // 2025-11-20T01:40:03.519522+00:00
        assert_eq!((timestamp.len(), &timestamp[26..]), (32, "+00:00"), "{timestamp}");
        let moment: DateTime<Utc> = timestamp.parse().unwrap();
        assert!((Utc::now() - moment).num_seconds().abs() < 60);
    }
    assert_eq!(work_queue::drain(&system).await.len(), 2);
}

#[tokio::test]
async fn member_events_are_answered_with_their_ids() {
    let system = gateway_alone().spawn().await;
    for (event_type, what) in [
        ("member.created", "creation"),
        ("member.updated", "update"),
        ("member.deleted", "deletion"),
    ] {
        let body = json!({
            "event_type": event_type,
            "church_id": system.campus.core_church_id,
            "member_id": "m \"1\" 李",
            "event_id": "e-1",
        });
        let answer = post(&system, &body).await;
        let text = format!(
            "{{\"success\":true,\"message\":\"Member {what} accepted\",\
             \"member_id\":\"m \\\"1\\\" 李\",\"event_id\":\"e-1\"}}"
        );
        assert_answer(&answer, 202, &text);
        assert!(answer.took < ANSWER_WITHIN);
    }
}

#[tokio::test]
async fn an_unknown_type_is_named_in_the_answer() {
    let system = gateway_alone().spawn().await;
    for event_type in ["member.merged", "Member.Updated", "a\"b\\", "test ", "\u{1}", "李"] {
        let body = json!({"event_type": event_type, "church_id": system.campus.core_church_id});
        let message = format!("Webhook received but event type {event_type} not handled");
        let text = format!("{{\"success\":true,\"message\":{}}}", Value::from(message));
        assert_answer(&post(&system, &body).await, 202, &text);
    }
}

#[tokio::test]
async fn both_addresses_and_both_names_of_a_campus_work() {
    let system = gateway_alone().spawn().await;
    let (church, campus) = (&system.campus.core_church_id, &system.campus.id);
    for body in [
        json!({"event_type": "test", "church_id": church}),
        json!({"event_type": "test", "campus_id": church}),
        json!({"event_type": "test", "campus_id": campus}),
        json!({"event_type": "test", "church_id": campus}),
        json!({"event_type": "test", "church_id": church, "campus_id": "unknown"}),
        json!({"event_type": "test", "church_id": 7, "campus_id": church}),
    ] {
        assert_eq!(post(&system, &body).await.status, 200, "{body}");
    }
    let body = json!({"event_type": "test", "church_id": church}).to_string();
    let signature = signature(&system, &body);
    let headers = [(SIGNATURE_HEADER, signature.as_bytes())];
    for path in [WEBHOOK_PATH, "/sync/webhook", "/sync/webhook?church=1", "/api/sync/webhook?"] {
        assert_eq!(system.post_raw(path, &headers, body.as_bytes()).await.status, 200, "{path}");
    }
    for envelope in work_queue::drain(&system).await {
        assert_eq!(envelope.envelope["campus_id"], campus.as_str());
    }
}
