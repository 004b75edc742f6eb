//! Engagement, notes and care events are FaithTracker's alone (interface §3).

use chrono::TimeDelta;
use core_sim::Webhook;
use harness::{Role, TestSystem};
use serde_json::{Value, json};
use tokio_postgres::error::SqlState;

use super::{campus_under_test::CampusUnderTest, queue::publish};

/// What people entered in FaithTracker.
const ENTERED: &str = "
    UPDATE members SET engagement_status = 'at_risk', days_since_last_contact = 71,
        last_contact_at = '2025-09-10T11:12:13Z', notes = E'Wants a visit.\\n\\tCall first. 李';
    INSERT INTO care_events (campus_id, member_id, event_type, event_date, title, description, completed)
    SELECT campus_id, id, type, '2025-10-11', 'Visit', 'At the hospital', type = 'grief'
    FROM members, unnest(ARRAY['birthday', 'grief', 'hospital', 'accident', 'new_house']) AS type;";

/// Everything of members and care events that the sync does not own, as text.
async fn entered(system: &TestSystem) -> Vec<Value> {
    let members = "SELECT id, campus_id, external_member_id, engagement_status,
                          days_since_last_contact, last_contact_at, notes, created_at
                   FROM members ORDER BY id";
    let mut all = system.database.rows(members, &[]).await;
    all.extend(system.database.rows("SELECT * FROM care_events ORDER BY id", &[]).await);
    all
}

#[tokio::test]
async fn no_event_touches_what_people_entered() {
    let system = TestSystem::builder().variable("RETRY_DELAYS", "100ms").spawn().await;
    let campus = CampusUnderTest::first(&system);
    let member = campus.bring(json!({"full_name": "Budi", "member_status": "Visitor"})).await;
    let purged = campus.bring(json!({"full_name": "Purged"})).await;
    let by_hand = "INSERT INTO members (campus_id, name) SELECT id, 'Made by hand' FROM campuses";
    campus.execute(by_hand).await;
    campus.execute(ENTERED).await;
    let before = entered(&system).await;
    assert_eq!(before.len(), 3 + 15);

    let sync = async |event_type: &str, status: &str| {
        let log = campus.sync(event_type, &member).await;
        assert_eq!(log["status"], status, "{log}");
    };
    let filter = async |rules: Value| {
        let set =
            ["campus", "set-filter", &campus.id, "--mode", "exclude", "--rules", "-", "--yes"];
        system.faithctl_with_input(&set, rules.to_string().as_bytes()).await.success();
    };
    campus.change(&member, json!({"full_name": "Budi Santoso", "date_of_birth": "1990-01-15", "gender": "Male", "phone_whatsapp": "0812-3456-7890"}));
    sync("member.updated", "processed").await;
    sync("member.created", "processed").await;
    campus.change(&member, json!({"is_active": false}));
    sync("member.updated", "processed").await;
    campus.change(&member, json!({"is_active": true, "photo_base64": "/9j/4AAQ"}));
    sync("member.updated", "processed").await;
    filter(json!([{"field": "member_status", "operator": "equals", "value": "Visitor"}])).await;
    sync("member.updated", "processed").await;
    filter(json!([{"field": "member_status", "operator": "equals", "value": "Nobody"}])).await;
    system.core.delete(&member, Webhook::Silent).unwrap();
    sync("member.deleted", "processed").await;
    sync("member.updated", "processed").await;
    system.core.restore(&member, Webhook::Silent).unwrap();
    sync("member.updated", "processed").await;
    let stale = campus.envelope("member.deleted", &member, TimeDelta::minutes(20));
    publish(&system, &stale).await;
    assert_eq!(campus.end_of(&stale.event_id).await["status"], "stale");
    system.core.purge(&purged, Webhook::Silent).unwrap();
    let dead = campus.post("member.updated", &purged).await;
    campus.dead_letter(&dead).await;
    let confirmed = campus.envelope("member.deleted", &purged, TimeDelta::minutes(20));
    publish(&system, &confirmed).await;
    assert_eq!(campus.end_of(&confirmed.event_id).await["status"], "processed");

    assert_eq!(campus.member(&member).await["name"], "Budi Santoso");
    assert_eq!(campus.member(&purged).await["is_archived"], true);
    assert_eq!(entered(&system).await, before);
    let by_hand =
        system.database.rows("SELECT * FROM members WHERE name = 'Made by hand'", &[]).await;
    assert_eq!(
        (&by_hand[0]["is_archived"], &by_hand[0]["external_member_id"]),
        (&json!(false), &Value::Null)
    );
}

#[tokio::test]
async fn the_worker_has_no_right_to_write_what_is_not_its_own() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    campus.bring(json!({"full_name": "Budi"})).await;
    campus.execute(ENTERED).await;
    let worker = system.database.connect_as(Role::Worker).await;
    let forbidden = [
        "UPDATE members SET notes = 'x'",
        "UPDATE members SET engagement_status = 'active'",
        "UPDATE members SET days_since_last_contact = 0",
        "UPDATE members SET last_contact_at = now()",
        "UPDATE members SET campus_id = campus_id",
        "UPDATE members SET created_at = now()",
        "INSERT INTO members (campus_id, engagement_status) SELECT id, 'x' FROM campuses",
        "DELETE FROM members",
        "SELECT notes FROM members",
        "INSERT INTO care_events (campus_id, member_id, event_type, event_date, title)
         SELECT campus_id, id, 'x', now(), 'x' FROM members",
        "UPDATE care_events SET completed = true",
        "DELETE FROM care_events",
        "SELECT FROM care_events",
        "SELECT webhook_secret_sealed FROM sync_configs",
        "UPDATE sync_configs SET is_enabled = false",
        "UPDATE campuses SET name = 'x'",
        "DELETE FROM member_sync",
        "DELETE FROM webhook_logs",
        "DELETE FROM dead_letters",
        "TRUNCATE members CASCADE",
        "CREATE TABLE mine ()",
    ];
    for statement in forbidden {
        let error = worker.batch_execute(statement).await.expect_err(statement);
        assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{statement}: {error}");
    }
    // What is its own it may.
    worker.batch_execute("UPDATE members SET name = 'x', updated_at = now()").await.unwrap();
}
