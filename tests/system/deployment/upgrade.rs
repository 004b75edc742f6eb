//! What `deploy/upgrade.md` builds on: programs of this version beside tables and messages of the next.

use std::{collections::BTreeMap, time::Duration};

use core_sim::{Webhook, WebhookBody};
use harness::{TestSystem, eventually};
use serde_json::json;
use support::program::run_to_end;

const SOON: Duration = Duration::from_secs(30);

/// What an expanding migration may do to tables that older programs use.
const NEXT_VERSION: &str = "
    ALTER TABLE campuses ADD COLUMN next_version text;
    ALTER TABLE sync_configs ADD COLUMN next_version text NOT NULL DEFAULT 'x';
    ALTER TABLE members ADD COLUMN next_version text NOT NULL DEFAULT 'x';
    ALTER TABLE member_sync ADD COLUMN next_version bigint;
    ALTER TABLE member_photos ADD COLUMN next_version text;
    ALTER TABLE webhook_logs ADD COLUMN next_version text NOT NULL DEFAULT 'x';
    ALTER TABLE dead_letters ADD COLUMN next_version jsonb;
    ALTER TABLE sync_logs ADD COLUMN next_version text;
    ALTER TABLE core_tokens ADD COLUMN next_version text;
    INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
        VALUES (999, 'next_version', '2030-01-01T00:00:00Z', '1')";

#[tokio::test]
async fn programs_work_with_tables_that_the_next_version_has_added_to() {
    let system = TestSystem::builder().variable("RETRY_DELAYS", "100ms").spawn().await;
    let church = &system.campus.core_church_id;
    system.database.client().batch_execute(NEXT_VERSION).await.unwrap();
    // A rollback: programs that start with the newer tables.
    for kind in ["gateway", "worker"] {
        let program = if kind == "gateway" { system.gateway(0) } else { system.worker(0) };
        program.terminate(SOON).await.unwrap();
        system.start_again(kind, 0).await;
    }
    let fields = json!({"id": "m-1", "full_name": "Budi"});
    assert!(system.core.create(church, fields, Webhook::Silent).is_ok());
    for (member, status) in [("m-1", "processed"), ("unknown", "dead")] {
        let body = WebhookBody::new("member.updated", church, member);
        let event = system.post(&system.campus, &body).await.event_id();
        eventually(status, SOON, async || {
            let query = "SELECT status FROM webhook_logs WHERE event_id = $1";
            let row = system.database.rows(query, &[&event]).await.pop();
            if row == Some(json!({"status": status})) { Ok(()) } else { Err(format!("{row:?}")) }
        })
        .await;
    }
    let run = system.reconcile(&["--once", "--campus", &system.campus.id]).await;
    assert_eq!(run.code, Some(0), "{run:?}");
    system.faithctl(&["campus", "show", &system.campus.id]).await.success();

    let owner = BTreeMap::from([("DATABASE_URL".to_owned(), system.database.url())]);
    let migrated = run_to_end("faithctl", &["migrate"], b"", owner).await.unwrap();
    assert_eq!(migrated.code, Some(1), "an older version changes nothing: {migrated:?}");
}

#[tokio::test]
async fn a_field_that_a_newer_gateway_adds_to_the_message_is_passed_over() {
    use queue::{
        EXCHANGE, WORK,
        lapin::{
            BasicProperties,
            options::{BasicPublishOptions, ConfirmSelectOptions},
        },
    };
    let system = TestSystem::builder().gateways(0).spawn().await;
    let church = &system.campus.core_church_id;
    let fields = json!({"id": "m-1", "full_name": "Budi"});
    assert!(system.core.create(church, fields, Webhook::Silent).is_ok());
    let delivery = uuid::Uuid::now_v7().to_string();
    let envelope = json!({
        "schema_version": 1, "delivery_id": delivery, "event_id": "event-1",
        "event_type": "member.updated", "campus_id": system.campus.id, "member_id": "m-1",
        "occurred_at": null, "received_at": chrono::Utc::now(),
        "priority": "high", "origin": {"region": "next"},
    });
    let channel = system.broker.channel().await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let (options, properties) = (
        BasicPublishOptions::default(),
        BasicProperties::default().with_message_id(delivery.into()),
    );
    let body = envelope.to_string();
    let confirm = channel
        .basic_publish(EXCHANGE.into(), WORK.into(), options, body.as_bytes(), properties)
        .await;
    assert!(confirm.unwrap().await.unwrap().is_ack());
    eventually("the event is processed", SOON, async || {
        let query = "SELECT status FROM webhook_logs WHERE event_id = 'event-1'";
        let row = system.database.rows(query, &[]).await.pop();
        if row == Some(json!({"status": "processed"})) { Ok(()) } else { Err(format!("{row:?}")) }
    })
    .await;
}
