//! The archive flag: who is archived for which reason, and who is let out again (interface §3).

use core_sim::Webhook;
use harness::TestSystem;
use serde_json::{Value, json};

use super::campus_under_test::{CampusUnderTest, archive_of};

#[tokio::test]
async fn a_member_that_the_core_has_deleted_is_archived_or_never_made() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let known = campus.bring(json!({"full_name": "Known"})).await;
    let unknown = campus.create(json!({"full_name": "Unknown"}));
    system.core.delete(&known, Webhook::Silent).unwrap();
    system.core.delete(&unknown, Webhook::Silent).unwrap();

    let log = campus.sync("member.updated", &known).await;
    assert_eq!(
        (&log["status"], &log["message"]),
        (&json!("processed"), &json!("Member archived: Known"))
    );
    let row = campus.member(&known).await;
    assert_eq!(
        (&row["is_archived"], &row["archived_reason"]),
        (&json!(true), &json!("Deleted in core system"))
    );

    let log = campus.sync("member.created", &unknown).await;
    assert_eq!(
        (&log["status"], &log["message"]),
        (&json!("processed"), &json!("Member archived: (unknown)"))
    );
    assert_eq!(campus.row(&unknown).await, None);

    // Restored, both come back.
    for (member, message) in
        [(&known, "Member updated: Known"), (&unknown, "Member created: Unknown")]
    {
        system.core.restore(member, Webhook::Silent).unwrap();
        assert_eq!(campus.sync("member.updated", member).await["message"], message);
        let row = campus.member(member).await;
        assert_eq!(archive_of(&row), (false, &Value::Null, &Value::Null));
    }
}

#[tokio::test]
async fn a_deleted_member_that_nobody_knows_leaves_a_tombstone() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let log = campus.sync("member.deleted", "never-heard-of").await;
    assert_eq!(
        (&log["status"], &log["message"]),
        (&json!("processed"), &json!("Member archived: (unknown)"))
    );
    assert_eq!(campus.row("never-heard-of").await, None);
    let tombstones = system.database.rows("SELECT * FROM member_sync WHERE gone", &[]).await;
    assert_eq!(tombstones.len(), 1);
    assert_eq!(tombstones[0]["external_member_id"], "never-heard-of");
    assert_eq!(system.core.member_requests("never-heard-of"), 0);
}

#[tokio::test]
async fn a_member_that_is_not_active_is_archived_until_it_is_again() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let known = campus.bring(json!({"full_name": "Known"})).await;
    let unknown = campus.create(json!({"full_name": "Unknown", "is_active": false}));
    campus.change(&known, json!({"is_active": false, "full_name": "Known B"}));

    assert_eq!(campus.sync("member.updated", &known).await["message"], "Member archived: Known B");
    assert_eq!(campus.sync("member.created", &unknown).await["message"], "Member created: Unknown");
    for (member, name) in [(&known, "Known B"), (&unknown, "Unknown")] {
        let row = campus.member(member).await;
        assert_eq!(row["name"], name, "the other columns are synced too");
        assert_eq!(
            (&row["is_archived"], &row["archived_reason"]),
            (&json!(true), &json!("Deactivated in core system"))
        );
        assert_ne!(row["archived_at"], Value::Null);
    }

    // An archived member goes on being synced, and keeps the date of its archive.
    let archived_at = campus.member(&known).await["archived_at"].clone();
    campus.change(&known, json!({"full_name": "Known C"}));
    assert_eq!(campus.sync("member.updated", &known).await["message"], "Member updated: Known C");
    assert_eq!(campus.member(&known).await["archived_at"], archived_at);
    // Another reason of ours takes its place, and still does not move the date.
    system.core.delete(&known, Webhook::Silent).unwrap();
    assert_eq!(campus.sync("member.deleted", &known).await["message"], "Member archived: Known C");
    let row = campus.member(&known).await;
    assert_eq!(archive_of(&row), (true, &json!("Deleted in core system"), &archived_at));

    for member in [&known, &unknown] {
        system.core.restore(member, Webhook::Silent).unwrap();
        campus.sync("member.updated", member).await;
        let row = campus.member(member).await;
        assert_eq!(archive_of(&row), (false, &Value::Null, &Value::Null));
    }
}

#[tokio::test]
async fn an_archive_that_a_person_made_is_never_touched() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    for reason in ["'Moved to another city'", "NULL"] {
        let member = campus.bring(json!({"full_name": "Budi"})).await;
        campus
            .execute(&format!(
                "UPDATE members SET is_archived = true, archived_reason = {reason},
                        archived_at = '2020-05-06T07:08:09Z'
                 WHERE external_member_id = '{member}'"
            ))
            .await;
        let before = campus.member(&member).await;

        campus.change(&member, json!({"full_name": "Budi Santoso"}));
        campus.sync("member.updated", &member).await;
        let row = campus.member(&member).await;
        assert_eq!(row["name"], "Budi Santoso", "the other columns are synced on");
        assert_eq!(archive_of(&row), archive_of(&before));

        for is_active in [false, true] {
            campus.change(&member, json!({"is_active": is_active}));
            campus.sync("member.updated", &member).await;
            assert_eq!(archive_of(&campus.member(&member).await), archive_of(&before));
        }
        system.core.delete(&member, Webhook::Silent).unwrap();
        campus.sync("member.deleted", &member).await;
        assert_eq!(archive_of(&campus.member(&member).await), archive_of(&before));
        system.core.restore(&member, Webhook::Silent).unwrap();
        campus.sync("member.updated", &member).await;
        assert_eq!(archive_of(&campus.member(&member).await), archive_of(&before));
    }
}

#[tokio::test]
async fn an_archive_by_a_person_stays_though_an_old_reason_of_ours_stood_there() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    for is_synced_between in [true, false] {
        let member = campus.bring(json!({"full_name": "Budi"})).await;
        campus.change(&member, json!({"is_active": false}));
        campus.sync("member.updated", &member).await;
        // A person lifts the archive, and thinks of the flag alone.
        let set = |archived: bool| {
            format!(
                "UPDATE members SET is_archived = {archived} WHERE external_member_id = '{member}'"
            )
        };
        campus.execute(&set(false)).await;
        campus.change(&member, json!({"is_active": true}));
        if is_synced_between {
            campus.sync("member.updated", &member).await;
        }
        let row = campus.member(&member).await;
        assert_eq!(archive_of(&row), (false, &Value::Null, &Value::Null));
        campus.execute(&set(true)).await;
        campus.change(&member, json!({"full_name": "Budi Santoso"}));
        campus.sync("member.updated", &member).await;
        let row = campus.member(&member).await;
        assert_eq!((&row["name"], &row["is_archived"]), (&json!("Budi Santoso"), &json!(true)));
    }
}
