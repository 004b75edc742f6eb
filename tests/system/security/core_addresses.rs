//! A core's address that leads into the own network is not asked, whatever stands in the database
//! (decision 8).

use std::time::Duration;

use core_sim::{Webhook, WebhookBody};
use harness::{Role, TestSystem, eventually};
use serde_json::json;

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn an_address_that_the_operator_did_not_allow_is_not_asked() {
    // faithctl may save it, the worker knows better: the checks are the programs' own.
    let system = TestSystem::builder()
        .variable_of(Role::Worker, "CORE_URLS_ALLOW", "")
        .variable_of(Role::Reconciler, "CORE_URLS_ALLOW", "")
        .variable("RETRY_DELAYS", "100ms")
        .spawn()
        .await;
    let church = &system.campus.core_church_id;
    let fields = json!({"id": "m-1", "full_name": "Budi"});
    assert!(system.core.create(church, fields, Webhook::Silent).is_ok());
    let before = system.core.member_requests("m-1");
    let body = WebhookBody::new("member.updated", church, "m-1");
    let event = system.post(&system.campus, &body).await.event_id();
    let error = eventually("the attempt failed", SOON, async || {
        let query = "SELECT error FROM webhook_logs WHERE event_id = $1 AND error IS NOT NULL";
        let row = system.database.rows(query, &[&event]).await.pop()?;
        row["error"].as_str().map(str::to_owned)
    })
    .await;
    assert!(error.contains("https"), "{error}");
    assert_eq!(system.core.member_requests("m-1"), before);

    let run = system.reconcile(&["--once", "--campus", &system.campus.id]).await;
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stdout.contains("must be https"), "{run:?}");
}
