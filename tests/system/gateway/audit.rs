//! The audit of refusals fails, and nothing else does.

use std::time::Duration;

use harness::{Role, TestSystem, eventually, permissions};
use lapin::options::ExchangeDeleteOptions;
use tokio::time::{Instant, interval};

use super::{metric, post_under, updated};

const REJECTIONS: &str = "webhook-rejections";
/// A queue that refuses everything for 3 s has its connection made anew.
const LONGER_THAN_A_QUEUE_MAY_REFUSE: Duration = Duration::from_secs(4);
const SOON: Duration = Duration::from_secs(30);

/// Posts good webhooks and bad ones until the audit has failed for a while.
async fn assert_only_the_audit_fails(system: &TestSystem, why: &str) {
    let body = updated(system);
    let before = failures(system).await;
    let began = Instant::now();
    let mut pace = interval(Duration::from_millis(250));
    while began.elapsed() < LONGER_THAN_A_QUEUE_MAY_REFUSE || failures(system).await <= before {
        pace.tick().await;
        assert!(began.elapsed() < SOON, "{why}: no failure is counted");
        assert_eq!(post_under(system, b"wrong", &body.to_bytes()).await.status, 401, "{why}");
        assert_eq!(system.post(&system.campus, &body).await.status, 202, "{why}");
        let ready = reqwest::get(format!("{}/readyz", system.admin_url("gateway", 0))).await;
        assert_eq!(ready.unwrap().status(), 200, "{why}");
    }
}

async fn failures(system: &TestSystem) -> f64 {
    metric(system, "gateway_audit_failures_total").await.unwrap()
}

#[tokio::test]
async fn an_audit_that_takes_nothing_costs_no_webhook_and_comes_back_by_itself() {
    let system = TestSystem::builder().broker_users().workers(1).spawn().await;
    assert!(failures(&system).await < 1.0);
    // Who would empty the queue, and declare it anew, is away.
    system.worker(0).terminate(SOON).await.unwrap();
    system.broker.limit_queue(REJECTIONS, 1).await;
    assert_only_the_audit_fails(&system, "the queue is full").await;

    let channel = system.broker.channel().await;
    let options = ExchangeDeleteOptions::default();
    channel.exchange_delete(REJECTIONS.into(), options).await.unwrap();
    assert_only_the_audit_fails(&system, "the exchange is gone").await;

    let rights = permissions().into_iter().find(|(name, _)| name == Role::Gateway.name());
    let [configure, write, read] = rights.unwrap().1;
    let less = write.replace(&format!("|{REJECTIONS}"), "");
    assert_ne!(less, write);
    system.broker.permit(Role::Gateway, &[configure.clone(), less, read.clone()]).await;
    system.start_again("worker", 0).await;
    assert_only_the_audit_fails(&system, "it may not be written to").await;

    let log = std::fs::read_to_string(system.gateway(0).log()).unwrap();
    assert!(log.contains("refused deliveries are not audited; nothing else fails"), "{log}");
    system.broker.permit(Role::Gateway, &[configure, write, read]).await;
    let body = updated(&system).to_bytes();
    eventually("refusals are logged again", SOON, async || {
        post_under(&system, b"wrong", &body).await;
        let rejected = "SELECT FROM webhook_logs WHERE status = 'rejected'";
        !system.database.rows(rejected, &[]).await.is_empty()
    })
    .await;
}
