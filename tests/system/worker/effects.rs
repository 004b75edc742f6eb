//! What created, updated and deleted do (interface §3).

use harness::TestSystem;
use serde_json::{Value, json};

use super::campus_under_test::CampusUnderTest;

#[tokio::test]
async fn a_member_is_created_updated_and_archived() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let member = campus.create(json!({
        "full_name": "SUMARNI NINGSIH",
        "phone_whatsapp": "0812-3456-7890",
        "gender": "Female",
        "date_of_birth": "1990-01-15",
        "member_status": "Full Member",
        "photo_url": "https://photos.example/sumarni.jpg",
    }));

    let log = campus.sync("member.created", &member).await;
    assert_eq!(log["status"], "processed");
    assert_eq!(log["message"], "Member created: SUMARNI NINGSIH");
    let row = campus.member(&member).await;
    assert_eq!(row["campus_id"], campus.id.as_str());
    assert_eq!(row["name"], "SUMARNI NINGSIH");
    assert_eq!(row["phone"], "+6281234567890");
    assert_eq!(row["gender"], "Female");
    assert_eq!(row["birth_date"], "1990-01-15");
    assert!(row["age"].as_i64().unwrap() >= 35, "{row}");
    assert_eq!(row["category"], "Full Member");
    assert_eq!(row["photo_url"], "https://photos.example/sumarni.jpg");
    assert_eq!(row["is_archived"], false);
    // From here on engagement is FaithTracker's.
    assert_eq!(row["engagement_status"], "active");
    assert_eq!(row["days_since_last_contact"], 999);
    assert_eq!((&row["last_contact_at"], &row["notes"]), (&Value::Null, &Value::Null));

    campus.change(&member, json!({"full_name": "Sumarni N", "member_status": "Visitor"}));
    let log = campus.sync("member.updated", &member).await;
    assert_eq!(
        (&log["status"], &log["message"]),
        (&json!("processed"), &json!("Member updated: Sumarni N"))
    );
    let row = campus.member(&member).await;
    assert_eq!((&row["name"], &row["category"]), (&json!("Sumarni N"), &json!("Visitor")));
    assert_eq!(row["phone"], "+6281234567890");

    system.core.delete(&member, core_sim::Webhook::Silent).unwrap();
    let log = campus.sync("member.deleted", &member).await;
    assert_eq!(
        (&log["status"], &log["message"]),
        (&json!("processed"), &json!("Member archived: Sumarni N"))
    );
    let row = campus.member(&member).await;
    assert_eq!(row["is_archived"], true);
    assert_eq!(row["archived_reason"], "Deleted in core system");
    assert_ne!(row["archived_at"], Value::Null);
    assert_eq!(row["name"], "Sumarni N");
}

#[tokio::test]
async fn the_event_type_does_not_decide_between_insert_and_update() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let member = campus.create(json!({"full_name": "Budi"}));
    let log = campus.sync("member.updated", &member).await;
    assert_eq!(log["message"], "Member created: Budi");
    let log = campus.sync("member.created", &member).await;
    assert_eq!(log["message"], "Member updated: Budi");

    // Without a name anywhere.
    let nameless = campus.create(json!({"full_name": null}));
    assert_eq!(
        campus.sync("member.created", &nameless).await["message"],
        "Member created: (unknown)"
    );
    assert_eq!(
        campus.sync("member.updated", &nameless).await["message"],
        "Member updated: (unknown)"
    );
    assert_eq!(
        campus.sync("member.deleted", &nameless).await["message"],
        "Member archived: (unknown)"
    );
}

#[tokio::test]
async fn a_delivery_is_logged_with_its_allow_listed_fields_and_nothing_else() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let member = campus.create(json!({"full_name": "Budi"}));
    let body = campus
        .body("member.created", &member)
        .with("event_id", "the-sender's-id")
        .with("timestamp", "2025-01-02T03:04:05.678901+07:00")
        .with("church", json!({"id": campus.church_id(), "name": "GKBJ"}))
        .with_data(json!({"full_name": "Budi", "notes": "confidential"}));
    let event = campus.deliver(&body).await;
    assert_eq!(event, "the-sender's-id");
    let log = campus.end_of(&event).await;
    assert_eq!(log["campus_id"], campus.id.as_str());
    assert_eq!(log["event_type"], "member.created");
    assert_eq!(log["member_id"], member);
    assert_eq!(log["signature_valid"], true);
    assert_eq!(log["attempts"], 1);
    assert_eq!(log["error"], Value::Null);
    assert_ne!(log["processed_at"], Value::Null);
    let payload = log["payload"].as_object().unwrap();
    let keys: Vec<&str> = payload.keys().map(String::as_str).collect();
    assert_eq!(keys, ["campus_id", "event_id", "event_type", "member_id", "timestamp"]);
    assert_eq!(payload["timestamp"], "2025-01-01T20:04:05.678901Z");
}

#[tokio::test]
async fn tests_and_unknown_types_are_logged_and_ask_the_core_nothing() {
    use core_sim::{Endpoint, WebhookBody};
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    for event_type in ["test", "ping"] {
        let body = WebhookBody::test(campus.church_id()).with("event_type", event_type);
        let answer = system.post(&campus, &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let log = campus.end_of(body.text("event_id").unwrap()).await;
        assert_eq!(
            (&log["status"], &log["message"]),
            (&json!("processed"), &answer.json()["message"])
        );
        assert_eq!((&log["event_type"], &log["member_id"]), (&json!(event_type), &Value::Null));
    }
    let body = campus.body("household.updated", "m-1").with("event_id", "of-another-type");
    let answer = system.post(&campus, &body).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let log = campus.end_of("of-another-type").await;
    assert_eq!(log["status"], "ignored");
    assert_eq!(log["message"], "Webhook received but event type household.updated not handled");

    assert_eq!(system.core.requests(Endpoint::Member), 0);
    assert_eq!(system.core.requests(Endpoint::Login), 0);
    assert_eq!(system.database.rows("SELECT FROM members", &[]).await.len(), 0);
    assert_eq!(system.queue_depth("member-events.work").await, Some(0));
}

#[tokio::test]
async fn absent_keys_leave_their_columns_and_nulls_clear_them() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let keys = [
        "full_name",
        "first_name",
        "last_name",
        "phone_whatsapp",
        "gender",
        "date_of_birth",
        "member_status",
        "photo_url",
    ];
    let member = campus
        .bring(json!({
            "full_name": "Maria Tan",
            "phone_whatsapp": "081298765432",
            "gender": "Female",
            "date_of_birth": "1985-06-30",
            "member_status": "Full Member",
            "photo_url": "https://photos.example/maria.jpg",
        }))
        .await;
    let before = campus.member(&member).await;

    system.core.remove_keys(&member, &keys).unwrap();
    let log = campus.sync("member.updated", &member).await;
    assert_eq!(log["message"], "Member updated: Maria Tan");
    assert_eq!(campus.member(&member).await, before, "a row that says it already is not written");

    campus.change(&member, keys.iter().map(|key| ((*key).to_owned(), Value::Null)).collect());
    let log = campus.sync("member.updated", &member).await;
    assert_eq!(log["message"], "Member updated: (unknown)");
    let row = campus.member(&member).await;
    for column in ["name", "phone", "gender", "birth_date", "age", "category", "photo_url"] {
        assert_eq!(row[column], Value::Null, "{column}");
    }
    assert_eq!((&row["is_archived"], &row["created_at"]), (&json!(false), &before["created_at"]));
}

#[tokio::test]
async fn a_photo_address_that_a_browser_would_not_fetch_counts_as_null() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let member = campus.bring(json!({"photo_url": "http://photos.example/1.png"})).await;
    assert_eq!(campus.member(&member).await["photo_url"], "http://photos.example/1.png");
    for address in [
        "javascript:alert(1)",
        "data:image/png;base64,iVBORw0KGgo=",
        "ftp://photos.example/1.png",
        "/uploads/1.png",
        "",
    ] {
        campus.change(&member, json!({"photo_url": "https://photos.example/2.png"}));
        campus.sync("member.updated", &member).await;
        assert_eq!(campus.member(&member).await["photo_url"], "https://photos.example/2.png");
        campus.change(&member, json!({"photo_url": address}));
        campus.sync("member.updated", &member).await;
        assert_eq!(campus.member(&member).await["photo_url"], Value::Null, "{address}");
    }
}

#[tokio::test]
async fn a_sender_with_a_mad_clock_is_served_all_the_same() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let member = campus.create(json!({"full_name": "Budi"}));
    let moments = [
        json!("-200000-01-01T00:00:00Z"),
        json!("-4800-01-01T00:00Z"),
        json!("0000-01-01T00:00:00Z"),
        json!("+250000-01-01T00:00Z"),
        json!("9999-12-31T23:59:59.999999Z"),
        json!("yesterday"),
        json!(1_700_000_000),
        Value::Null,
    ];
    for moment in moments {
        for event_type in ["member.updated", "member.deleted"] {
            let body = campus.body(event_type, &member).with("timestamp", moment.clone());
            let log = campus.end_of(&campus.deliver(&body).await).await;
            assert!(["processed", "stale"].contains(&log["status"].as_str().unwrap()), "{log}");
            assert_eq!(log["attempts"], 1, "{moment}");
        }
    }
}
