//! A collector that is of no use: nobody notices.

use std::time::{Duration, Instant};

use core_sim::{Webhook, WebhookBody};
use harness::{
    collector::Collector,
    proxy::{Mode, Proxy},
    {TestSystem, eventually},
};

use super::{SOON, traced};

/// Posts a member's event, sees it through, and ends the programs; nothing may take longer than
/// where nothing is exported.
async fn works_as_ever(system: &TestSystem) {
    let church = &system.campus.core_church_id;
    let fields = serde_json::json!({"full_name": "Somebody"});
    let created = system.core.create(church, fields, Webhook::Silent).unwrap();
    let member = created.member.text("id").unwrap();
    // More spans than may wait: what does not fit is dropped.
    for _ in 0..50 {
        let body = WebhookBody::new("member.updated", church, member);
        let answer = system.post(&system.campus, &body).await;
        assert_eq!(answer.status, 202);
        assert!(answer.took < Duration::from_millis(1500), "{answer:?}");
    }
    eventually("all events are processed", SOON, async || {
        let query = "SELECT FROM webhook_logs WHERE status IN ('processed', 'duplicate')";
        system.database.rows(query, &[]).await.len() == 50
    })
    .await;
    let begun = Instant::now();
    for program in [system.gateway(0), system.worker(0)] {
        let status = program.terminate(Duration::from_secs(25)).await.unwrap();
        assert!(status.success(), "{status}");
    }
    assert!(begun.elapsed() < Duration::from_secs(25));
}

#[tokio::test]
async fn a_collector_that_takes_everything_and_never_answers_holds_nobody_up() {
    let collector = Collector::start().await.unwrap();
    let proxy = Proxy::to(collector.address()).await.unwrap();
    proxy.set(Mode::BlackHole);
    let system = traced(&collector)
        .variable("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", proxy.address()))
        .variable("OTEL_EXPORTER_OTLP_TIMEOUT", "1000")
        .variable("OTEL_BSP_MAX_QUEUE_SIZE", "16")
        .variable("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "16")
        .spawn()
        .await;
    works_as_ever(&system).await;
    let log = std::fs::read_to_string(system.worker(0).log()).unwrap();
    let told = log.matches("spans cannot be exported").count();
    assert_eq!(told, 1, "an SRE is told, and once: {log}");
}

#[tokio::test]
async fn a_collector_that_is_away_holds_nobody_up() {
    let collector = Collector::start().await.unwrap();
    let proxy = Proxy::to(collector.address()).await.unwrap();
    proxy.set(Mode::Refuse);
    let endpoint = format!("http://{}", proxy.address());
    let system = traced(&collector).variable("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint).spawn().await;
    works_as_ever(&system).await;
}

#[tokio::test]
async fn nothing_is_exported_where_the_sdk_is_disabled() {
    let collector = Collector::start().await.unwrap();
    let system = traced(&collector).variable("OTEL_SDK_DISABLED", "true").spawn().await;
    works_as_ever(&system).await;
    assert!(collector.spans().is_empty());
    let rows = system.database.rows("SELECT trace_id FROM webhook_logs", &[]).await;
    assert!(rows.iter().all(|row| row["trace_id"].as_str().is_some_and(|id| id.len() == 32)));
}
