//! Events about members who are here already, by hand or under an id that is gone: linked, not doubled.

use base64::{Engine, prelude::BASE64_STANDARD};
use core_sim::{Endpoint, Fault, FaultKind, Webhook};
use harness::TestSystem;
use serde_json::{Value, json};

use super::campus_under_test::CampusUnderTest;

/// Makes a person by hand, with a history, and answers the row's id.
async fn by_hand(campus: CampusUnderTest<'_>, name: &str, phone: &str) -> Value {
    let query = "
        WITH made AS (
            INSERT INTO members (campus_id, name, phone) SELECT id, $1, $2 FROM campuses
            WHERE id::text = $3 RETURNING id, campus_id
        )
        INSERT INTO care_events (campus_id, member_id, event_type, event_date, title)
        SELECT campus_id, id, 'visit', now(), 'x' FROM made RETURNING member_id::text";
    let client = campus.system.database.client();
    let row = client.query_one(query, &[&name, &phone, &campus.id]).await.unwrap();
    Value::from(row.get::<_, String>(0))
}

async fn number_of_rows(campus: CampusUnderTest<'_>) -> usize {
    campus.system.database.rows("SELECT FROM members", &[]).await.len()
}

fn budi() -> Value {
    json!({"full_name": "Budi Santoso", "phone_whatsapp": "6281290000001", "gender": "Male"})
}

#[tokio::test]
async fn a_person_who_was_made_by_hand_gets_the_cores_id() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let row = by_hand(campus, "  budi santoso", "0812-9000-0001").await;
    let member = campus.create(budi());
    let log = campus.sync("member.created", &member).await;
    assert_eq!(
        (&log["status"], &log["message"]),
        (&json!("processed"), &json!("Member updated: Budi Santoso"))
    );
    let linked = campus.member(&member).await;
    assert_eq!((&linked["id"], &linked["gender"]), (&row, &json!("Male")));
    assert_eq!(linked["phone"], "+6281290000001");
    assert_eq!(number_of_rows(campus).await, 1);
    // Another member of that name and phone is another one.
    let other = campus.create(budi());
    assert_eq!(
        campus.sync("member.created", &other).await["message"],
        "Member created: Budi Santoso"
    );
    assert_eq!(number_of_rows(campus).await, 2);
    let links = "SELECT member_id, external_member_id, previous_id FROM member_links";
    let links = system.database.rows(links, &[]).await;
    let link = json!({"member_id": row, "external_member_id": member, "previous_id": null});
    assert_eq!(links, [link]);
}

#[tokio::test]
async fn a_new_id_takes_over_the_row_of_one_that_the_core_calls_gone() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let old = campus.bring(budi()).await;
    let row = campus.member(&old).await["id"].clone();
    // The core is asked, and has both.
    let duplicate = campus.create(budi());
    assert_eq!(
        campus.sync("member.updated", &duplicate).await["message"],
        "Member created: Budi Santoso"
    );
    assert!(system.core.member_requests(&old) > 1);
    for id in [&old, &duplicate] {
        system.core.delete(id, Webhook::Silent).unwrap();
    }
    system.core.purge(&old, Webhook::Silent).unwrap();
    // Two that are gone: whose row it is cannot be told.
    let doubtful = campus.create(budi());
    campus.sync("member.updated", &doubtful).await;
    assert_eq!(number_of_rows(campus).await, 3);

    let other = json!({"full_name": "Sumarni", "phone_whatsapp": "6281290000002"});
    let old = campus.bring(other.clone()).await;
    let row_of_other = campus.member(&old).await["id"].clone();
    system.core.purge(&old, Webhook::Silent).unwrap();
    let new = campus.create(other);
    // A core that fails is asked again.
    let failing = FaultKind::Status { status: 500, retry_after: None };
    let failing = Fault::everywhere(failing).at(Endpoint::Member).of_member(&old).with_times(3);
    system.core.add_fault(failing);
    let log = campus.sync("member.created", &new).await;
    assert_eq!(log["message"], "Member updated: Sumarni", "{log}");
    assert_eq!(campus.member(&new).await["id"], row_of_other);
    assert_eq!(campus.row(&old).await, None);
    // What is still heard of the old id is about nobody here.
    let late = campus.sync("member.deleted", &old).await;
    assert_eq!(late["status"], "processed", "{late}");
    assert_eq!(campus.member(&new).await["is_archived"], false);
    assert_ne!(row, row_of_other);
}

#[tokio::test]
async fn a_row_that_a_person_archived_is_taken_over_and_stays_archived() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let row = by_hand(campus, "Budi Santoso", "081290000001").await;
    let archive = "UPDATE members SET is_archived = true, archived_reason = 'Moved away'";
    system.database.client().batch_execute(archive).await.unwrap();
    let member = campus.bring(budi()).await;
    let linked = campus.member(&member).await;
    assert_eq!((&linked["id"], &linked["is_archived"]), (&row, &json!(true)));
    assert_eq!(linked["archived_reason"], "Moved away");
    // Where it is off, everybody is created.
    let off = ["campus", "set", &campus.id, "--link-members", "off"];
    system.faithctl(&off).await.success();
    by_hand(campus, "Sumarni", "081290000002").await;
    campus.bring(json!({"full_name": "Sumarni", "phone_whatsapp": "081290000002"})).await;
    assert_eq!(number_of_rows(campus).await, 3);
}

/// Each holds its photo while the core is asked about the other id, and the one request that may be under way belongs to
/// somebody who waits for room.
#[tokio::test]
async fn members_with_photos_take_over_their_rows_however_little_memory_there_is() {
    let system = TestSystem::builder()
        .variable("WORKER_ANSWER_BYTES", "262144")
        .variable("WORKER_CORE_CONCURRENCY", "1")
        .variable("RETRY_DELAYS", "1s")
        .spawn()
        .await;
    let campus = CampusUnderTest::first(&system);
    let photo = BASE64_STANDARD.encode([&[0xff, 0xd8, 0xff, 0xe0][..], &vec![7; 60_000]].concat());
    let people: Vec<Value> = (0..20)
        .map(|number| {
            json!({
                "full_name": format!("Person {number}"),
                "phone_whatsapp": format!("62812900{number:05}"),
                "photo_base64": photo,
            })
        })
        .collect();
    for person in &people {
        let old = campus.bring(person.clone()).await;
        system.core.purge(&old, Webhook::Silent).unwrap();
    }
    let mut events = Vec::new();
    for person in people {
        let new = campus.create(person);
        events.push(campus.post("member.created", &new).await);
    }
    for event in events {
        let log = campus.end_of(&event).await;
        assert_eq!(log["status"], "processed", "{log}");
    }
    assert_eq!(number_of_rows(campus).await, 20);
}
