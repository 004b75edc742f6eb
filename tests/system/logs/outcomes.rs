//! One line an event, with everything that it is searched by.

use core_sim::{Webhook, WebhookBody};
use harness::TestSystem;
use serde_json::{Value, json};

use super::{SOON, line, lines};

#[tokio::test]
async fn each_end_of_an_event_is_one_line_that_leads_to_its_row() {
    let system = TestSystem::builder()
        .variable("RETRY_DELAYS", "100ms")
        .variable("RUST_LOG", "info,gateway=debug")
        .spawn()
        .await;
    let church = &system.campus.core_church_id;
    let fields = json!({"full_name": "Budi"});
    let created = system.core.create(church, fields, Webhook::Silent).unwrap();
    let known = created.member.text("id").unwrap();
    let worker = system.worker(0);
    let mut fates = Vec::new();
    for (event_type, member, outcome) in [
        ("member.created", known, "processed"),
        ("test", "-", "processed"),
        ("member.merged", "-", "ignored"),
        ("member.updated", "unknown", "dead"),
    ] {
        let body = WebhookBody::new(event_type, church, member)
            .with("event_id", outcome.to_owned() + event_type);
        assert!(system.post(&system.campus, &body).await.status < 300);
        let event = body.text("event_id").unwrap().to_owned();
        let fate = line(worker, "the event has its line", |line| {
            line["event_id"] == event.as_str() && line["outcome"] == outcome
        })
        .await;
        fates.push((event, fate));
    }
    for (event, fate) in &fates {
        let query = "SELECT * FROM webhook_logs WHERE event_id = $1";
        let row = harness::eventually("the row has its end", SOON, async || {
            let row = system.database.rows(query, &[event]).await.pop()?;
            (row["status"] == fate["outcome"]).then_some(row)
        })
        .await;
        assert_eq!(fate["delivery_id"], row["id"], "{fate}");
        assert_eq!(fate["campus_id"], row["campus_id"]);
        assert_eq!(fate["trace_id"], row["trace_id"]);
        assert_eq!(fate["attempt"], row["attempts"]);
        assert!(fate["duration_ms"].is_u64() && fate["since_receipt_ms"].is_u64(), "{fate}");
        let level = if row["status"] == "dead" { "WARN" } else { "INFO" };
        assert_eq!(fate["level"], level);
        // Asked for, the gateway tells of each; and any of the ids leads to the row.
        let accepted =
            lines(system.gateway(0)).into_iter().find(|line| line["event_id"] == event.as_str());
        assert_eq!(accepted.map(|line| line["trace_id"].clone()), Some(row["trace_id"].clone()));
        for id in [&row["event_id"], &row["id"], &row["trace_id"]] {
            let shown = system
                .faithctl(&["deliveries", "show", id.as_str().unwrap(), "--json"])
                .await
                .json();
            assert_eq!(shown["id"], row["id"]);
        }
    }
    let of = |event: &str| -> Vec<Value> {
        lines(worker)
            .into_iter()
            .filter(|line| line["event_id"] == event)
            .map(|line| line["outcome"].clone())
            .collect()
    };
    for (event, fate) in &fates[..3] {
        assert_eq!(of(event), [fate["outcome"].clone()]);
    }
    assert_eq!(of(&fates[3].0)[..2], [json!("retrying"), json!("dead")]);
}

#[tokio::test]
async fn a_refusal_names_its_campus_and_its_trace() {
    let system = TestSystem::spawn().await;
    let body = WebhookBody::new("member.updated", &system.campus.core_church_id, "m-1");
    assert_eq!(system.post_signed("another secret", body.to_bytes()).await.status, 401);
    let refused = line(system.gateway(0), "the refusal has its line", |line| {
        line["reason"] == "invalid_signature"
    })
    .await;
    assert_eq!(
        (&refused["status"], &refused["campus_id"]),
        (&json!(401), &json!(system.campus.id))
    );
    assert_eq!(refused["trace_id"].as_str().map(str::len), Some(32));
    for _ in 0..100 {
        system.post_signed("another secret", body.to_bytes()).await;
    }
    let told = lines(system.gateway(0)).iter().filter(|line| line["status"] == 401).count();
    assert!(told < 90, "a flood of refusals writes a few lines a second: {told}");
}
