//! FaithFlow's own webhooks and answers, as they were recorded.

use std::{fs, path::Path};

use core_sim::{FIRST_CHURCH_ID, Options};
use harness::{TestSystem, WEBHOOK_PATH};
use serde_json::{Value, json};
use support::servers::DataFolder;

use super::campus_under_test::CampusUnderTest;

/// What the recorded webhooks were signed with.
const SECRET: &str = "TFRuCW5KkeGC_YF_wrBLabcdefghijkl";

#[tokio::test]
async fn the_recorded_webhooks_do_what_they_did_in_the_core() {
    let folder = DataFolder::temporary().unwrap();
    let secret = folder.join("secret");
    fs::write(&secret, SECRET).unwrap();
    let core = Options { churches: Options::churches_of(1, 1, 0), ..Options::default() };
    let system = TestSystem::builder()
        .core(core)
        .campus_arguments(&["--secret-file", secret.to_str().unwrap()])
        .spawn()
        .await;
    let campus = CampusUnderTest::first(&system);
    let (sumarni, yohanes) =
        ("2496441d-cbf4-4821-bb59-1b705c296cf1", "474f5153-b736-4815-8832-b8d65e0eb502");

    // The answers of that moment follow from what the webhooks carry.
    put_data_of(&system, "webhook-1-member.created", sumarni);
    let log = deliver(campus, "webhook-1-member.created").await;
    assert_eq!(log["message"], "Member created: SUMARNI NINGSIH");

    put_data_of(&system, "webhook-2-member.created", yohanes);
    assert_eq!(
        deliver(campus, "webhook-2-member.created").await["message"],
        "Member created: Yohanes Đặng 李"
    );

    put_answer(&system, "member.json", sumarni);
    assert_eq!(
        deliver(campus, "webhook-3-member.updated").await["message"],
        "Member updated: Sumarni N"
    );
    let row = campus.member(sumarni).await;
    assert_eq!(row["name"], "Sumarni N");
    assert_eq!(row["phone"], "+6281234567890");
    assert_eq!(row["gender"], "Female");
    assert_eq!(row["birth_date"], "1990-01-15");
    assert_eq!(row["category"], "Visitor");
    assert_eq!((&row["photo_url"], &row["is_archived"]), (&Value::Null, &json!(false)));

    put_answer(&system, "member-inactive.json", yohanes);
    assert_eq!(
        deliver(campus, "webhook-4-member.updated").await["message"],
        "Member archived: Yohanes Đặng 李"
    );
    let row = campus.member(yohanes).await;
    assert_eq!(
        (&row["phone"], &row["gender"], &row["age"]),
        (&json!("+6281211112222"), &Value::Null, &Value::Null)
    );
    assert_eq!(
        (&row["is_archived"], &row["archived_reason"]),
        (&json!(true), &json!("Deactivated in core system"))
    );

    put_answer(&system, "member-soft-deleted.json", sumarni);
    assert_eq!(
        deliver(campus, "webhook-5-member.deleted").await["message"],
        "Member archived: Sumarni N"
    );
    let row = campus.member(sumarni).await;
    assert_eq!(
        (&row["is_archived"], &row["archived_reason"]),
        (&json!(true), &json!("Deleted in core system"))
    );

    assert_eq!(deliver(campus, "webhook-6-test").await["status"], "processed");
    let all =
        system.database.rows("SELECT * FROM webhook_logs WHERE status <> 'processed'", &[]).await;
    assert_eq!(all, Vec::<Value>::new());
    assert_eq!(system.database.rows("SELECT FROM members", &[]).await.len(), 2);
}

#[tokio::test]
async fn the_recorded_answer_of_a_deleted_member_archives_on_an_update_too() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let sumarni = "2496441d-cbf4-4821-bb59-1b705c296cf1";
    put_answer(&system, "member.json", sumarni);
    assert_eq!(
        campus.sync("member.created", sumarni).await["message"],
        "Member created: Sumarni N"
    );
    put_answer(&system, "member-soft-deleted.json", sumarni);
    assert_eq!(
        campus.sync("member.updated", sumarni).await["message"],
        "Member archived: Sumarni N"
    );
    assert_eq!(campus.member(sumarni).await["archived_reason"], "Deleted in core system");
}

/// Posts a recorded webhook byte for byte, with its headers, and answers its log row.
async fn deliver(campus: CampusUnderTest<'_>, name: &str) -> Value {
    let body = fs::read(samples().join(format!("{name}.body"))).unwrap();
    let headers = fs::read_to_string(samples().join(format!("{name}.headers"))).unwrap();
    let headers: Vec<(String, &[u8])> = headers
        .lines()
        .filter_map(|line| line.split_once(": "))
        // Those that belong to the connection are the client's.
        .filter(|(name, _)| !["Host", "Content-Length", "Connection"].contains(name))
        .map(|(name, value)| (name.to_lowercase(), value.as_bytes()))
        .collect();
    let headers: Vec<(&str, &[u8])> =
        headers.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let answer = campus.system.post_raw(WEBHOOK_PATH, &headers, &body).await;
    assert!([200, 202].contains(&answer.status), "{answer:?}");
    let body: Value = serde_json::from_slice(&body).unwrap();
    campus.end_of(body["event_id"].as_str().unwrap()).await
}

/// Has the core answer what was recorded.
fn put_answer(system: &TestSystem, file: &str, member: &str) {
    let sample: Value = serde_json::from_slice(&fs::read(samples().join(file)).unwrap()).unwrap();
    system.core.put(FIRST_CHURCH_ID, member, sample["body"].clone()).unwrap();
}

/// Has the core answer the member that a webhook carries.
fn put_data_of(system: &TestSystem, webhook: &str, member: &str) {
    let body = fs::read(samples().join(format!("{webhook}.body"))).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    system.core.put(FIRST_CHURCH_ID, member, body["data"].clone()).unwrap();
}

fn samples() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../samples/faithflow"))
}
