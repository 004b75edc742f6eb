//! What the gateway publishes: looked at on the work queue, where no worker takes it.

use core_sim::{WebhookBody, timestamp_now};
use queue::lapin::types::AMQPValue;
use serde_json::json;

use super::{gateway_alone, only_published, post, updated, work_queue};

#[tokio::test]
async fn a_member_event_travels_as_the_contract_says_and_without_its_data() {
    let system = gateway_alone().spawn().await;
    let body = WebhookBody::about_member(
        "member.updated",
        (&system.campus.core_church_id, "GKBJ"),
        "m-1",
        json!({"id": "m-1", "full_name": "SUMARNI", "photo_base64": "AAAA"}).into(),
        Some(json!({"full_name": "SUMARNI"}).into()),
    );
    let answer = system.post(&system.campus, &body).await;
    assert_eq!(answer.event_id(), body.text("event_id").unwrap());

    let published = only_published(&system).await;
    let envelope = published.envelope.as_object().unwrap();
    let mut keys: Vec<_> = envelope.keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "campus_id",
            "delivery_id",
            "event_id",
            "event_type",
            "member_id",
            "occurred_at",
            "received_at",
            "schema_version"
        ]
    );
    assert_eq!(envelope["schema_version"], 1);
    assert_eq!(published.text("campus_id"), system.campus.id);
    assert_eq!(published.text("event_id"), answer.event_id());
    assert_eq!(published.text("event_type"), "member.updated");
    assert_eq!(published.text("member_id"), "m-1");

    let properties = &published.message.properties;
    let delivery: uuid::Uuid = published.text("delivery_id").parse().unwrap();
    assert_eq!(delivery.get_version_num(), 7);
    assert_eq!(properties.message_id().as_ref().unwrap().as_str(), published.text("delivery_id"));
    assert_eq!(properties.kind().as_ref().unwrap().as_str(), "member.updated");
    assert_eq!(*properties.delivery_mode(), Some(2));
    assert_eq!(properties.content_type().as_ref().unwrap().as_str(), "application/json");
    let received_at: chrono::DateTime<chrono::Utc> = published.text("received_at").parse().unwrap();
    assert_eq!(*properties.timestamp(), Some(received_at.timestamp().unsigned_abs()));
    let headers = properties.headers().as_ref().unwrap().inner();
    let AMQPValue::LongString(traceparent) = &headers["traceparent"] else { panic!("{headers:?}") };
    let traceparent = traceparent.to_string();
    let parts: Vec<_> = traceparent.split('-').map(str::len).collect();
    assert_eq!(parts, [2, 32, 16, 2], "{traceparent}");
    assert!(!traceparent.contains(&"0".repeat(16)), "{traceparent}");
    assert_eq!(published.message.routing_key.as_str(), queue::WORK);
    assert_eq!(published.message.exchange.as_str(), queue::EXCHANGE);
}

#[tokio::test]
async fn moments_are_no_finer_than_postgres_keeps_them() {
    let system = gateway_alone().spawn().await;
    let body = updated(&system).with("timestamp", "2026-01-02T03:04:05.123456789+07:00");
    assert_eq!(system.post(&system.campus, &body).await.status, 202);
    let published = only_published(&system).await;
    assert_eq!(published.text("occurred_at"), "2026-01-01T20:04:05.123456Z");
    let fraction = published.text("received_at").split(['.', 'Z']).nth(1).unwrap_or_default();
    assert!(fraction.len() <= 6, "{published:?}");
}

#[tokio::test]
async fn a_time_without_zone_or_from_the_future_is_not_believed() {
    let system = gateway_alone().spawn().await;
    for odd in [json!("2026-01-02T03:04:05"), json!("yesterday"), json!(1_700_000_000), json!(null)]
    {
        let body = updated(&system).with("timestamp", odd.clone());
        assert_eq!(system.post(&system.campus, &body).await.status, 202);
        let published = only_published(&system).await;
        assert_eq!(published.envelope.get("occurred_at"), None, "{odd}: {published:?}");
    }
    let body = updated(&system).with("timestamp", "2999-01-01T00:00:00Z");
    assert_eq!(system.post(&system.campus, &body).await.status, 202);
    let published = only_published(&system).await;
    assert_eq!(published.text("occurred_at"), published.text("received_at"));
    let body = updated(&system).with("timestamp", timestamp_now());
    assert_eq!(system.post(&system.campus, &body).await.status, 202);
    let published = only_published(&system).await;
    assert_ne!(published.text("occurred_at"), published.text("received_at"));
}

#[tokio::test]
async fn an_event_without_a_usable_id_gets_one_and_the_header_is_not_trusted() {
    let system = gateway_alone().spawn().await;
    let long = "x".repeat(129);
    for odd in [json!(null), json!(7), json!(""), json!("a\nb"), json!("\0"), json!(long)] {
        let body = updated(&system).with("event_id", odd).to_bytes();
        let signature = super::signature(&system, &body);
        let headers: [(&str, &[u8]); 2] =
            [(super::SIGNATURE_HEADER, signature.as_bytes()), ("x-event-id", b"from-the-header")];
        let answer = system.post_raw(super::WEBHOOK_PATH, &headers, &body).await;
        answer.event_id().parse::<uuid::Uuid>().unwrap();
        assert_eq!(only_published(&system).await.text("event_id"), answer.event_id());
    }
    let own = format!("é/{}", "x".repeat(125));
    let body = updated(&system).with("event_id", own.clone());
    assert_eq!(system.post(&system.campus, &body).await.event_id(), own);
}

#[tokio::test]
async fn the_same_event_twice_is_two_deliveries() {
    let system = gateway_alone().spawn().await;
    let body = updated(&system).with("event_id", "e-1");
    for _ in 0..2 {
        assert_eq!(system.post(&system.campus, &body).await.event_id(), "e-1");
    }
    let both = work_queue::drain(&system).await;
    assert_eq!(both.len(), 2);
    assert_ne!(both[0].text("delivery_id"), both[1].text("delivery_id"));
    assert_eq!(both[0].text("event_id"), both[1].text("event_id"));
}

#[tokio::test]
async fn tests_and_unknown_types_are_published_too() {
    let system = gateway_alone().spawn().await;
    let church = &system.campus.core_church_id;
    for event_type in ["test", "ping", "member.merged", "李"] {
        let body = json!({"event_type": event_type, "church_id": church});
        assert!(post(&system, &body).await.status < 300);
        let published = only_published(&system).await;
        assert_eq!(published.text("event_type"), event_type);
        assert_eq!(published.envelope.get("member_id"), None);
    }
}
