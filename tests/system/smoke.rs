//! The whole way of one event.

use std::time::Duration;

use core_sim::{Webhook, WebhookBody};
use harness::{TestSystem, WEBHOOK_PATH, eventually};
use serde_json::json;

#[tokio::test]
async fn a_signed_webhook_becomes_a_member_row() {
    let system = TestSystem::spawn().await;
    let campus = &system.campus;
    let fields = json!({"full_name": "SUMARNI NINGSIH", "phone_whatsapp": "0812-3456-7890"});
    let created = system.core.create(&campus.core_church_id, fields, Webhook::Silent).unwrap();
    let member = created.member.text("id").unwrap();

    let body = WebhookBody::new("member.created", &campus.core_church_id, member);
    let answer = system.post(campus, &body).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(answer.json()["member_id"], member);
    assert_eq!(campus.webhook_path, WEBHOOK_PATH);

    let row = eventually("the member has a row", Duration::from_secs(10), async || {
        let query = "SELECT * FROM members WHERE external_member_id = $1";
        system.database.rows(query, &[&member]).await.pop()
    })
    .await;
    assert_eq!(row["name"], "SUMARNI NINGSIH");
    assert_eq!(row["phone"], "+6281234567890");
    assert_eq!(row["campus_id"], campus.id.as_str());

    let query = "SELECT * FROM webhook_logs WHERE event_id = $1";
    let log = system.database.rows(query, &[&answer.event_id()]).await.pop().unwrap();
    assert_eq!(log["status"], "processed");
    assert_eq!(log["message"], "Member created: SUMARNI NINGSIH");
    assert_eq!(system.queue_depth("member-events.work").await, Some(0));
}
