//! Deletes: prompt ones are taken at their word, all others are a question to the core
//! (decision 10).

use chrono::{TimeDelta, Utc};
use core_sim::{Endpoint, Fault, FaultKind, Webhook};
use harness::TestSystem;
use serde_json::{Value, json};

use super::{
    campus_under_test::{CampusUnderTest, archive_of},
    queue::{publish, publish_replayed},
};

const PROMPT: TimeDelta = TimeDelta::seconds(1);
const DELAYED: TimeDelta = TimeDelta::minutes(11);

#[tokio::test]
async fn a_prompt_delete_archives_without_asking_the_core() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    // The core still has the member alive: nobody asks it.
    let member = campus.bring(json!({"full_name": "Budi"})).await;
    let log = campus.sync("member.deleted", &member).await;
    assert_eq!(
        (&log["status"], &log["message"]),
        (&json!("processed"), &json!("Member archived: Budi"))
    );
    assert!(archive_of(&campus.member(&member).await).0);
    assert_eq!(system.core.member_requests(&member), 1, "that of its creation");
    // The next event repairs it.
    assert_eq!(campus.sync("member.updated", &member).await["message"], "Member updated: Budi");
    assert_eq!(archive_of(&campus.member(&member).await), (false, &Value::Null, &Value::Null));
}

#[tokio::test]
async fn a_delete_without_a_timestamp_is_prompt_by_the_time_of_receipt() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let member = campus.bring(json!({"full_name": "Budi"})).await;
    let event = campus.deliver(&campus.body("member.deleted", &member).without("timestamp")).await;
    assert_eq!(campus.end_of(&event).await["message"], "Member archived: Budi");
    assert_eq!(system.core.member_requests(&member), 1);
}

#[tokio::test]
async fn a_delayed_or_replayed_delete_is_confirmed_by_the_core() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    for (age, replays) in [(DELAYED, 0), (PROMPT, 1)] {
        let alive = campus.bring(json!({"full_name": "Alive"})).await;
        let deleted = campus.bring(json!({"full_name": "Deleted"})).await;
        let purged = campus.bring(json!({"full_name": "Purged"})).await;
        campus.change(&alive, json!({"full_name": "Alive and changed"}));
        system.core.delete(&deleted, Webhook::Silent).unwrap();
        system.core.purge(&purged, Webhook::Silent).unwrap();

        let expected = [
            (&alive, "stale", "Member updated: Alive and changed", false),
            (&deleted, "processed", "Member archived: Deleted", true),
            (&purged, "processed", "Member archived: Purged", true),
        ];
        for (member, status, message, archived) in expected {
            let envelope = campus.envelope("member.deleted", member, age);
            publish_replayed(&system, &envelope, replays).await;
            let log = campus.end_of(&envelope.event_id).await;
            assert_eq!((&log["status"], &log["message"]), (&json!(status), &json!(message)));
            let row = campus.member(member).await;
            assert_eq!(row["is_archived"], archived, "{row}");
            assert_eq!(system.core.member_requests(member), 2, "{message}");
        }
        // Nobody that was known: still a question, and still a tombstone.
        let unknown = campus.envelope("member.deleted", "unknown", age);
        publish_replayed(&system, &unknown, replays).await;
        let log = campus.end_of(&unknown.event_id).await;
        assert_eq!(
            (&log["status"], &log["message"]),
            (&json!("processed"), &json!("Member archived: (unknown)"))
        );
        assert!(system.core.member_requests("unknown") > 0);
    }
}

#[tokio::test]
async fn a_delete_that_something_later_is_known_of_is_confirmed_by_the_core() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let alive = campus.bring(json!({"full_name": "Alive"})).await;
    let deleted = campus.bring(json!({"full_name": "Deleted"})).await;
    system.core.delete(&deleted, Webhook::Silent).unwrap();
    let earlier = (Utc::now() - TimeDelta::minutes(2)).to_rfc3339();
    for (member, status, archived) in [(&alive, "stale", false), (&deleted, "processed", true)] {
        let body = campus.body("member.deleted", member).with("timestamp", earlier.as_str());
        let log = campus.end_of(&campus.deliver(&body).await).await;
        assert_eq!(log["status"], status, "{log}");
        assert_eq!(campus.member(member).await["is_archived"], archived);
        assert_eq!(system.core.member_requests(member), 2);
    }
}

#[tokio::test]
async fn of_events_that_wait_together_the_newest_decides_whether_the_core_is_asked() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let at = |second: i64| (Utc::now() + TimeDelta::seconds(second - 60)).to_rfc3339();

    let gone = campus.bring(json!({"full_name": "Gone"})).await;
    let busy = campus.keep_busy(&gone).await;
    let updated = campus.body("member.updated", &gone).with("timestamp", at(70));
    let deleted = campus.body("member.deleted", &gone).with("timestamp", at(71));
    let events = [campus.deliver(&deleted).await, campus.deliver(&updated).await];
    assert!(campus.log(&busy).await.is_empty(), "the fetch was to take longer than this");
    for event in &events {
        let log = campus.end_of(event).await;
        assert_eq!(
            (&log["status"], &log["message"]),
            (&json!("processed"), &json!("Member archived: Gone"))
        );
    }
    assert_eq!(system.core.member_requests(&gone), 2, "created, kept busy, and no more");

    let back = campus.bring(json!({"full_name": "Back"})).await;
    let busy = campus.keep_busy(&back).await;
    let deleted = campus.body("member.deleted", &back).with("timestamp", at(70));
    let updated = campus.body("member.updated", &back).with("timestamp", at(71));
    let events = [campus.deliver(&deleted).await, campus.deliver(&updated).await];
    assert!(campus.log(&busy).await.is_empty(), "the fetch was to take longer than this");
    assert_eq!(campus.end_of(&events[0]).await["status"], "stale");
    assert_eq!(campus.end_of(&events[1]).await["status"], "processed");
    assert_eq!(campus.member(&back).await["is_archived"], false);
    assert_eq!(system.core.member_requests(&back), 3);
}

#[tokio::test]
async fn an_old_event_after_a_delete_brings_nobody_back() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let member = campus.bring(json!({"full_name": "Budi"})).await;
    system.core.delete(&member, Webhook::Silent).unwrap();
    campus.sync("member.deleted", &member).await;
    let archived = campus.member(&member).await;
    for event_type in ["member.created", "member.updated", "member.deleted"] {
        let old = campus.envelope(event_type, &member, DELAYED);
        publish(&system, &old).await;
        let log = campus.end_of(&old.event_id).await;
        assert_eq!(
            (&log["status"], &log["message"]),
            (&json!("processed"), &json!("Member archived: Budi"))
        );
        assert_eq!(campus.member(&member).await, archived);
    }
}

#[tokio::test]
async fn a_delete_that_was_delayed_on_its_way_to_us_is_confirmed_by_the_core() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let alive = campus.bring(json!({"full_name": "Alive"})).await;
    let deleted = campus.bring(json!({"full_name": "Deleted"})).await;
    // Nothing later is known here of either: the first was restored without a word.
    campus.execute("UPDATE member_sync SET last_occurred_at = NULL, last_received_at = NULL").await;
    system.core.delete(&deleted, Webhook::Silent).unwrap();
    let late = (Utc::now() - TimeDelta::minutes(36)).to_rfc3339();
    for (member, status, archived) in [(&alive, "stale", false), (&deleted, "processed", true)] {
        let body = campus.body("member.deleted", member).with("timestamp", late.as_str());
        let log = campus.end_of(&campus.deliver(&body).await).await;
        assert_eq!(log["status"], status, "{log}");
        assert_eq!(campus.member(member).await["is_archived"], archived);
        assert_eq!(system.core.member_requests(member), 2);
    }
}

#[tokio::test]
async fn an_update_that_comes_after_the_purge_is_stale() {
    let system = TestSystem::builder().variable("RETRY_DELAYS", "100ms").spawn().await;
    let campus = CampusUnderTest::first(&system);
    let member = campus.bring(json!({"full_name": "Budi"})).await;
    system.core.delete(&member, Webhook::Silent).unwrap();
    campus.sync("member.deleted", &member).await;
    campus.sync("member.deleted", "never-heard-of").await;
    system.core.purge(&member, Webhook::Silent).unwrap();
    for (member, message) in [
        (member.as_str(), "Member archived: Budi"),
        ("never-heard-of", "Member archived: (unknown)"),
    ] {
        // What happened before the delete came late, and at once nobody asks again.
        let earlier = (Utc::now() - TimeDelta::minutes(1)).to_rfc3339();
        let late = campus.body("member.updated", member).with("timestamp", earlier);
        let log = campus.end_of(&campus.deliver(&late).await).await;
        assert_eq!((&log["status"], &log["message"]), (&json!("stale"), &json!(message)));
        assert_eq!(log["attempts"], 1);
        // What happened after it may have brought the member back: every attempt is made.
        let log = campus.sync("member.updated", member).await;
        assert_eq!((&log["status"], &log["message"]), (&json!("stale"), &json!(message)));
        assert_eq!(log["attempts"], 2);
    }
    assert!(system.database.rows("SELECT FROM dead_letters", &[]).await.is_empty());
}

#[tokio::test]
async fn a_core_that_denies_a_restored_member_once_archives_nobody() {
    let system = TestSystem::builder().variable("RETRY_DELAYS", "100ms,100ms").spawn().await;
    let campus = CampusUnderTest::first(&system);
    let alive = campus.bring(json!({"full_name": "Alive"})).await;
    let purged = campus.bring(json!({"full_name": "Purged"})).await;
    let expected = [
        (&alive, Some(1), ["stale", "processed"], "Member updated: Alive"),
        // Nothing is a dead letter for having waited.
        (&purged, None, ["processed", "stale"], "Member archived: Purged"),
    ];
    for (member, times, statuses, message) in expected {
        let busy = campus.keep_busy(member).await;
        let denied = FaultKind::Status { status: 404, retry_after: None };
        let denied = Fault::everywhere(denied).at(Endpoint::Member).of_member(member);
        system.core.add_fault(Fault { times, ..denied });
        let earlier = (Utc::now() - TimeDelta::seconds(1)).to_rfc3339();
        let deleted = campus.body("member.deleted", member).with("timestamp", earlier);
        let events = [campus.deliver(&deleted).await, campus.post("member.updated", member).await];
        assert!(campus.log(&busy).await.is_empty(), "the fetch was to take longer than this");
        for (event, status) in events.iter().zip(statuses) {
            let log = campus.end_of(event).await;
            assert_eq!((&log["status"], &log["message"]), (&json!(status), &json!(message)));
            assert!(log["attempts"].as_u64() > Some(1), "{log}");
        }
    }
    assert!(system.database.rows("SELECT FROM dead_letters", &[]).await.is_empty());
}
