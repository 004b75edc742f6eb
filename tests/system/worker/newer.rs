//! Events that a newer gateway wrote, during an upgrade: they wait for a newer worker.

use base64::{Engine, prelude::BASE64_STANDARD};
use harness::{TestSystem, eventually};
use lapin::{BasicProperties, options::BasicGetOptions};
use queue::WORK;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{campus_under_test::SOON, queue::publish_bytes};

const LETTERS: &str = "SELECT id, cause, status, attempts, envelope FROM dead_letters";

/// Not what this version knows: another number, and other fields.
fn newer(system: &TestSystem) -> Vec<u8> {
    let event = json!({
        "schema_version": 2,
        "events": [{"event_id": "e-1", "campus": system.campus.id}],
    });
    event.to_string().into_bytes()
}

async fn publish(system: &TestSystem, body: &[u8]) -> Uuid {
    let id = Uuid::now_v7();
    let properties = BasicProperties::default().with_message_id(id.to_string().into());
    publish_bytes(system, body, properties).await;
    id
}

#[tokio::test]
async fn a_newer_event_waits_with_its_bytes_until_somebody_can_read_it() {
    let system = TestSystem::builder().variable("RETRY_DELAYS", "200ms").spawn().await;
    let body = newer(&system);
    publish(&system, &body).await;
    eventually("it was tried more than once", SOON, async || {
        let log = std::fs::read_to_string(system.worker(0).log()).unwrap();
        log.lines().filter(|line| line.contains("newer than this program knows")).count() > 2
    })
    .await;
    assert_eq!(system.database.rows(LETTERS, &[]).await.len(), 0);
    // The newer worker, for which it has waited.
    system.worker(0).terminate(SOON).await.unwrap();
    let channel = system.broker.channel().await;
    let message = eventually("it is in the queue again", SOON, async || {
        channel.basic_get(WORK.into(), BasicGetOptions { no_ack: true }).await.unwrap()
    })
    .await;
    assert_eq!(message.data, body);
}

#[tokio::test]
async fn a_newer_event_that_nobody_could_read_for_long_is_replayed_as_it_was() {
    let system = TestSystem::builder()
        .variable("RETRY_DELAYS", "200ms")
        .variable("RETRY_OUTAGE_AGE", "1s")
        .spawn()
        .await;
    let body = newer(&system);
    let id = publish(&system, &body).await;
    // What is no event of any version cannot be replayed.
    publish(&system, b"{}").await;
    let letters = eventually("both are dead letters", SOON, async || {
        let letters = system.database.rows(LETTERS, &[]).await;
        if letters.len() == 2 { Ok(letters) } else { Err(format!("{letters:?}")) }
    })
    .await;
    let letter = letters.iter().find(|letter| letter["id"] == id.to_string()).unwrap();
    assert_eq!((&letter["cause"], &letter["status"]), (&json!("invalid_event"), &json!("open")));
    assert_eq!(letter["envelope"]["base64"], BASE64_STANDARD.encode(&body));
    assert!(letter["attempts"].as_u64() > Some(1), "{letter}");

    let work = system.broker.intercept(WORK).await;
    let replayed = system.faithctl(&["dead-letters", "replay", "--yes", "--json"]).await.success();
    let replayed: Value = serde_json::from_str(&replayed).unwrap();
    assert_eq!((&replayed["replayed"], &replayed["unreadable"]), (&json!(1), &json!(1)));
    eventually("it is in the work queue", SOON, async || work.count() == 1).await;
    let message = work.taken().remove(0);
    assert_eq!(message.data, body);
    assert_eq!(message.properties.message_id().as_ref().unwrap().as_str(), id.to_string());
}
