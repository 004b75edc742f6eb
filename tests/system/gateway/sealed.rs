//! Secrets that `SECRETS_KEY` does not open: another key, or half of a change of keys.

use std::time::Duration;

use core_sim::Options;
use harness::{Campus, Role, TestSystem, eventually};
use serde_json::Value;

use super::{assert_unavailable, gateway_alone, post_under, updated};

const OTHER_KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

const SOON: Duration = Duration::from_secs(20);

/// What stands in a column that was sealed under a key that the gateway has not.
const SPOILED: &str = "overlay(webhook_secret_sealed placing '\\x00000000' from 40)";

#[tokio::test]
async fn with_another_key_nothing_is_unknown_and_nothing_is_ready() {
    let system = gateway_alone()
        .variable_of(Role::Gateway, "SECRETS_KEY", OTHER_KEY)
        .without_waiting()
        .spawn()
        .await;
    eventually("the gateway says what it lacks", SOON, async || {
        let (status, reasons) = readiness(&system).await;
        status == 503 && reasons["campuses"].as_str().is_some_and(|why| why.contains("SECRETS_KEY"))
    })
    .await;
    eventually("RabbitMQ is there", SOON, async || {
        readiness(&system).await.1.get("rabbitmq").is_none()
    })
    .await;
    assert_unavailable(&test(&system, &system.campus).await);
    // What cannot be right under any secret is told so.
    let body = updated(&system).to_bytes();
    assert_eq!(post_under(&system, b"sha256=0", &body).await.status, 401);
    assert_eq!(metric(&system, "gateway_campuses_unreadable").await, "1");
    assert_eq!(metric(&system, "gateway_ready").await, "0");
    let another = format!(r#"{{"event_type":"test","church_id":"{}"}}"#, uuid::Uuid::new_v4());
    assert_eq!(system.post_signed(&system.campus.secret, another).await.status, 404);
}

#[tokio::test]
async fn a_running_gateway_keeps_what_it_knew_of_the_campus_alone() {
    let system = gateway_alone().spawn().await;
    let second = system.add_campus(&Options::default().churches[1], &[]).await;
    accepted(&system, &second).await;
    let spoil = async |campus: &Campus| {
        let sql = format!(
            "UPDATE sync_configs SET webhook_secret_sealed = {SPOILED} WHERE campus_id = '{}'",
            campus.id
        );
        system.database.client().batch_execute(&sql).await.unwrap();
    };
    spoil(&system.campus).await;
    unreadable(&system, "1").await;
    for campus in [&system.campus, &second] {
        assert_eq!(test(&system, campus).await.status, 200);
    }
    assert_eq!(readiness(&system).await.0, 200);
    let doctor = system.faithctl(&["doctor"]).await;
    assert!(doctor.stdout.contains("the webhook secret does not open"), "{doctor:?}");

    // One that starts now never knew it: that campus waits, the other does not.
    system.gateway(0).terminate(SOON).await.unwrap();
    system.start_again("gateway", 0).await;
    assert_unavailable(&test(&system, &system.campus).await);
    assert_eq!(test(&system, &second).await.status, 200);

    // A new secret mends it, under the key that is right.
    let rotate = ["campus", "rotate-secret", &system.campus.id, "--grace", "0s", "--json"];
    let secret =
        system.faithctl(&rotate).await.json()["webhook_secret"].as_str().unwrap().to_owned();
    let mended = Campus { secret, ..system.campus.clone() };
    accepted(&system, &mended).await;
    unreadable(&system, "0").await;
}

#[tokio::test]
async fn a_previous_secret_that_does_not_open_harms_nobody() {
    let system = gateway_alone().spawn().await;
    let first = system.campus.clone();
    let rotate = ["campus", "rotate-secret", &first.id, "--json"];
    let secret =
        system.faithctl(&rotate).await.json()["webhook_secret"].as_str().unwrap().to_owned();
    let rotated = Campus { secret, ..first.clone() };
    accepted(&system, &rotated).await;
    for grace in ["1 hour", "-1 hour"] {
        let spoil = format!(
            "UPDATE sync_configs SET previous_secret_sealed = '\\x01ff',
                    previous_secret_expires_at = now() + interval '{grace}'"
        );
        system.database.client().batch_execute(&spoil).await.unwrap();
        system.gateway(0).terminate(SOON).await.unwrap();
        system.start_again("gateway", 0).await;
        assert_eq!(test(&system, &rotated).await.status, 200, "{grace}");
        assert_eq!(test(&system, &first).await.status, 401, "{grace}");
        assert_eq!(metric(&system, "gateway_campuses_unreadable").await, "0");
        let doctor = system.faithctl(&["doctor"]).await.stdout;
        let is_told = doctor.contains("the previous webhook secret does not open");
        assert_eq!(is_told, grace == "1 hour", "{doctor}");
    }
}

async fn test(system: &TestSystem, campus: &Campus) -> harness::Answer {
    let body = format!(r#"{{"event_type":"test","church_id":"{}"}}"#, campus.core_church_id);
    system.post_signed(&campus.secret, body).await
}

async fn accepted(system: &TestSystem, campus: &Campus) {
    eventually("the campus is served", SOON, async || test(system, campus).await.status == 200)
        .await;
}

async fn unreadable(system: &TestSystem, campuses: &str) {
    eventually("the metric says how many", SOON, async || {
        metric(system, "gateway_campuses_unreadable").await == campuses
    })
    .await;
}

async fn readiness(system: &TestSystem) -> (u16, Value) {
    let url = format!("{}/readyz", system.admin_url("gateway", 0));
    let answer = reqwest::get(url).await.unwrap();
    let status = answer.status().as_u16();
    let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    (status, body["reasons"].clone())
}

async fn metric(system: &TestSystem, name: &str) -> String {
    let url = format!("{}/metrics", system.admin_url("gateway", 0));
    let text = reqwest::get(url).await.unwrap().text().await.unwrap();
    let line = text.lines().find(|line| line.starts_with(&format!("{name}{{"))).unwrap_or_default();
    line.rsplit(' ').next().unwrap_or_default().to_owned()
}
