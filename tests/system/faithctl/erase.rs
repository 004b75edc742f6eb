//! `faithctl erase`: one person's traces, and nobody else's.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use core_sim::{Webhook, WebhookBody};
use harness::{TestSystem, eventually};
use serde_json::json;

use super::assert_failed;

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn one_persons_traces_are_erased_and_nobody_elses() {
    let system = TestSystem::builder().variable("RETRY_DELAYS", "100ms").spawn().await;
    let campus = &system.campus;
    let create = |name: &str| {
        let fields = json!({"full_name": name});
        let created = system.core.create(&campus.core_church_id, fields, Webhook::Silent).unwrap();
        created.member.text("id").unwrap().to_owned()
    };
    let (person, other) = (create("Somebody"), create("Other"));
    let post = async |member: &str| {
        let body = WebhookBody::new("member.updated", &campus.core_church_id, member);
        system.post(campus, &body).await.event_id()
    };
    let rows = async |query: &str| system.database.rows(query, &[]).await;
    for member in [&person, &other] {
        post(member).await;
    }
    eventually("two are processed", SOON, async || {
        rows("SELECT FROM webhook_logs WHERE status = 'processed'").await.len() == 2
    })
    .await;
    system.core.purge(&person, Webhook::Silent).unwrap();
    post(&person).await;
    eventually("one is dead", SOON, async || rows("SELECT FROM dead_letters").await.len() == 1)
        .await;

    // Messages that no version here can read, and whom they are about all the same.
    for member in [&person, &other] {
        let body = json!({"schema_version": 9, "campus_id": campus.id, "member_id": member});
        let body = BASE64_STANDARD.encode(body.to_string());
        let insert = format!(
            "INSERT INTO dead_letters (id, cause, reason, attempts, envelope)
             VALUES (gen_random_uuid(), 'invalid_event', 'x', 0, '{}')",
            json!({"base64": body})
        );
        system.database.client().batch_execute(&insert).await.unwrap();
    }

    let erase = ["erase", "--campus", &campus.id, "--member", &person, "--json"];
    let with = |more: &'static str| [&erase[..], &[more]].concat();
    let refused = system.faithctl(&erase).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    let would = system.faithctl(&with("--dry-run")).await.json();
    assert_eq!((&would["deliveries"], &would["dead_letters"]), (&json!(2), &json!(2)));
    assert_eq!(rows("SELECT FROM webhook_logs").await.len(), 3, "a dry run changes nothing");

    let erased = system.faithctl(&with("--yes")).await.json();
    assert_eq!((&erased["deliveries"], &erased["dead_letters"]), (&json!(2), &json!(2)));
    let left = rows("SELECT member_id FROM webhook_logs").await;
    assert_eq!(left, [json!({"member_id": other})]);
    assert_eq!(rows("SELECT FROM dead_letters").await.len(), 1, "the other's");
    assert_failed(&system.faithctl(&with("--yes")).await, 1, "nothing is logged");
}
