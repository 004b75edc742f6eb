//! Postgres away: the gateway goes on with the campuses it has read.

use std::time::Duration;

use harness::{TestSystem, eventually};
use serde_json::Value;

use super::{assert_unavailable, gateway_alone, updated, work_queue};

#[tokio::test]
async fn a_gateway_goes_on_without_postgres_and_starts_without_it() {
    let system = gateway_alone().own_servers().spawn().await;
    let servers = system.servers();
    let body = updated(&system);
    assert_eq!(system.post(&system.campus, &body).await.status, 202);

    servers.postgres.kill();
    servers.postgres.ended().await;
    for _ in 0..3 {
        assert_eq!(system.post(&system.campus, &body).await.status, 202);
    }
    assert_eq!(readiness(&system).await.0, 200, "it does its job");

    let gateway = system.gateway(0);
    gateway.kill();
    gateway.wait().await;
    gateway.start().unwrap();
    gateway.announced(Duration::from_secs(10)).await.unwrap();
    eventually("RabbitMQ is reached", Duration::from_secs(10), async || {
        let (status, reasons) = readiness(&system).await;
        assert_eq!(status, 503);
        let reasons = reasons["reasons"].as_object().unwrap();
        reasons.len() == 1 && reasons["campuses"].as_str().unwrap().contains("Postgres")
    })
    .await;
    let livez = reqwest::get(format!("{}/livez", system.admin_url("gateway", 0))).await.unwrap();
    assert_eq!(livez.status(), 200);
    assert_unavailable(&system.post(&system.campus, &body).await);
    // What needs no campus to be refused is refused as ever.
    let answer = system.post_signed(&system.campus.secret, "{}").await;
    assert_eq!(answer.status, 400);

    servers.postgres.start_again().await.unwrap();
    system.until_ready("gateway", 0, Duration::from_secs(10)).await;
    assert_eq!(system.post(&system.campus, &body).await.status, 202);
    assert_eq!(work_queue::drain(&system).await.len(), 5);

    // The new server tells of changes, too.
    system.faithctl(&["campus", "disable", &system.campus.id]).await.success();
    eventually("the campus is disabled", Duration::from_secs(1), async || {
        system.post(&system.campus, &body).await.status == 403
    })
    .await;
}

#[tokio::test]
async fn a_frozen_postgres_delays_nobody() {
    let system = gateway_alone().own_servers().spawn().await;
    system.servers().postgres.freeze();
    for _ in 0..3 {
        let answer = system.post(&system.campus, &updated(&system)).await;
        assert_eq!(answer.status, 202);
        assert!(answer.took < super::ANSWER_WITHIN, "{answer:?}");
    }
    system.servers().postgres.thaw();
}

/// What `/readyz` answers.
async fn readiness(system: &TestSystem) -> (u16, Value) {
    let url = format!("{}/readyz", system.admin_url("gateway", 0));
    let answer = reqwest::get(url).await.unwrap();
    (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}
