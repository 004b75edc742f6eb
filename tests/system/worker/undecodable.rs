//! Messages in the work queue that are no event: kept for an operator, and never in the way.

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::TimeDelta;
use event::Envelope;
use harness::{TestSystem, eventually};
use lapin::BasicProperties;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    campus_under_test::{CampusUnderTest, SOON},
    queue::{assert_queues_are_empty, publish, publish_bytes},
};

#[tokio::test]
async fn a_message_that_cannot_be_read_is_kept_and_delays_nobody() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let good = campus.envelope("member.updated", "m-1", TimeDelta::zero());
    let altered = |change: fn(&mut Value)| {
        let mut envelope = serde_json::to_value(&good).unwrap();
        change(&mut envelope);
        envelope.to_string().into_bytes()
    };
    let nul = |change: fn(&mut Envelope)| {
        let mut envelope = good.clone();
        change(&mut envelope);
        envelope.encode()
    };
    let bodies = [
        Vec::new(),
        b"{".to_vec(),
        b"\x00\xff\xfe not even text".to_vec(),
        json!({"hello": "world"}).to_string().into_bytes(),
        altered(|envelope| envelope["campus_id"] = json!("no uuid")),
        altered(|envelope| envelope["member_id"] = Value::Null),
        // What Postgres cannot store and the gateway never lets in.
        nul(|envelope| envelope.event_id = "a\0b".to_owned()),
        nul(|envelope| envelope.member_id = Some("a\0b".to_owned())),
        nul(|envelope| envelope.event_type = "a\0b".to_owned().into()),
    ];
    for body in &bodies {
        let id = Uuid::now_v7();
        let properties = BasicProperties::default().with_message_id(id.to_string().into());
        publish_bytes(&system, body, properties).await;
        let letter = letter_with(&system, body).await;
        assert_eq!(letter["id"], id.to_string());
        assert_eq!(
            (&letter["cause"], &letter["status"]),
            (&json!("invalid_event"), &json!("open"))
        );
        for column in ["event_id", "campus_id", "event_type", "member_id"] {
            assert_eq!(letter[column], Value::Null, "{column}");
        }
    }
    // The same bytes without an id of their own are one letter, however often they come.
    let anonymous = b"anonymous".to_vec();
    publish_bytes(&system, &anonymous, BasicProperties::default()).await;
    publish_bytes(&system, &anonymous, BasicProperties::default()).await;
    letter_with(&system, &anonymous).await;

    let member = campus.create(json!({"full_name": "Budi"}));
    let event = campus.envelope("member.created", &member, TimeDelta::zero());
    publish(&system, &event).await;
    assert_eq!(campus.end_of(&event.event_id).await["message"], "Member created: Budi");
    assert_eq!(system.database.rows("SELECT FROM webhook_logs", &[]).await.len(), 1);
    eventually("all letters are collected", SOON, async || {
        system.queue_depth(queue::DEAD).await == Some(0)
    })
    .await;
    let letters = system.database.rows("SELECT FROM dead_letters", &[]).await;
    assert_eq!(letters.len(), bodies.len() + 1);
    assert_queues_are_empty(&system).await;
}

/// Waits for the letter that holds these bytes.
async fn letter_with(system: &TestSystem, body: &[u8]) -> Value {
    let bytes = BASE64_STANDARD.encode(body);
    eventually("the message is a dead letter", SOON, async || {
        let query =
            "SELECT * FROM dead_letters WHERE envelope = jsonb_build_object('base64', $1::text)";
        system.database.rows(query, &[&bytes]).await.pop()
    })
    .await
}
