//! Refused deliveries of known campuses: told in `webhook_logs`, within bounds.

use core_sim::sign;
use harness::{SIGNATURE_HEADER, TestSystem, WEBHOOK_PATH, eventually};
use serde_json::{Value, json};

use super::campus_under_test::{CampusUnderTest, SOON};

async fn rejections(system: &TestSystem, number: usize) -> Vec<Value> {
    eventually("the refused deliveries are logged", SOON, async || {
        let query = "SELECT * FROM webhook_logs WHERE status = 'rejected' ORDER BY received_at";
        let rows = system.database.rows(query, &[]).await;
        if rows.len() == number { Ok(rows) } else { Err(format!("{rows:?}")) }
    })
    .await
}

#[tokio::test]
async fn a_delivery_that_is_refused_is_logged_as_rejected() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let body = campus
        .body("member.updated", "m-1")
        .with("event_id", "e-1")
        .with("data", json!({"full_name": "Somebody's Name", "phone": "0812345678"}))
        .to_bytes();
    let wrong = sign("another secret", &body);
    let headers: [(&str, &[u8]); 1] = [(SIGNATURE_HEADER, wrong.as_bytes())];
    assert_eq!(system.post_raw(WEBHOOK_PATH, &headers, &body).await.status, 401);

    let row = rejections(&system, 1).await.remove(0);
    assert_eq!(row["campus_id"], campus.id.as_str());
    assert_eq!((&row["event_id"], &row["member_id"]), (&json!("e-1"), &json!("m-1")));
    assert_eq!((&row["event_type"], &row["attempts"]), (&json!("member.updated"), &json!(0)));
    assert_eq!(row["signature_valid"], false);
    let said = "Refused with status 401: Invalid webhook signature. It came from 127.0.0.1.";
    assert_eq!(row["error"], said);
    assert_ne!(row["processed_at"], Value::Null);
    let logged = row["payload"].to_string();
    assert!(!logged.contains("Somebody") && !logged.contains("0812"), "{logged}");

    // A rejected delivery does not make another a duplicate: the good one with its id is worked on.
    let member = campus.create(json!({"full_name": "Budi"}));
    let good = campus.body("member.created", &member).with("event_id", "e-1");
    let answer = system.post(&campus, &good).await;
    assert_eq!(answer.event_id(), "e-1");
    eventually("the good delivery is processed", SOON, async || {
        campus.log("e-1").await.iter().any(|row| row["status"] == "processed")
    })
    .await;

    system.faithctl(&["campus", "disable", &campus.id]).await.success();
    eventually("the campus is disabled", SOON, async || {
        system.post_signed(&campus.secret, &body).await.status == 403
    })
    .await;
    let row = rejections(&system, 2).await.remove(1);
    assert_eq!(row["signature_valid"], true, "only who signs is told that sync is disabled");
    let said = "Refused with status 403: Sync is disabled for this campus. It came from 127.0.0.1.";
    assert_eq!(row["error"], said);
}

#[tokio::test]
async fn a_flood_of_bad_signatures_leaves_few_rows() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let body = campus.body("member.updated", "m-1").to_bytes();
    let wrong = sign("another secret", &body);
    for _ in 0..300 {
        let headers: [(&str, &[u8]); 1] = [(SIGNATURE_HEADER, wrong.as_bytes())];
        assert_eq!(system.post_raw(WEBHOOK_PATH, &headers, &body).await.status, 401);
    }
    // What is posted after them is worked on, and their rows are there by then.
    let member = campus.bring(json!({"full_name": "Budi"})).await;
    assert_eq!(campus.member(&member).await["name"], "Budi");
    let rows =
        system.database.rows("SELECT FROM webhook_logs WHERE status = 'rejected'", &[]).await;
    assert!(rows.len() <= 100, "{} rows", rows.len());
}
