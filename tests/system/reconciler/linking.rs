//! People who are here already are linked with the core's members, and not doubled.

use std::collections::BTreeMap;

use core_sim::Webhook;
use harness::{Role, TestSystem};
use serde_json::{Value, json};

use super::night::{Night, counts, report};

/// A campus of so many active members with phones of their own.
async fn with_phones(members: u64) -> (Night, Vec<String>) {
    let night = Night::new(0).await;
    let ids = (0..members).map(|number| night.create(fields(number))).collect();
    night.pass().await;
    (night, ids)
}

fn fields(number: u64) -> Value {
    json!({
        "full_name": format!("Member {number}"), "is_active": true,
        "phone_whatsapp": format!("628129000{number:04}"),
    })
}

/// The rows, by their own ids, with the core's.
async fn rows(night: &Night) -> BTreeMap<String, Value> {
    let query = "SELECT id, external_member_id FROM members";
    let rows = night.system.database.rows(query, &[]).await;
    let pair =
        |row: &Value| (row["id"].as_str().unwrap().to_owned(), row["external_member_id"].clone());
    rows.iter().map(pair).collect()
}

#[tokio::test]
async fn a_core_that_was_restored_with_new_ids_doubles_and_archives_nobody() {
    let (night, ids) = with_phones(60).await;
    // Some are archived: by the core's word, by a person; and everybody has a history.
    for id in &ids[..3] {
        night.change(id, json!({"is_active": false}));
    }
    night.pass().await;
    night
        .execute(&format!(
            "UPDATE members SET is_archived = true, archived_reason = 'Moved away', archived_at = now()
             WHERE external_member_id = '{}';
             INSERT INTO care_events (campus_id, member_id, event_type, event_date, title)
             SELECT campus_id, id, 'visit', now(), external_member_id FROM members",
            ids[3]
        ))
        .await;
    let before = rows(&night).await;
    let renumbered = night.system.core.renumber(&night.system.campus.core_church_id).unwrap();
    let renumbered: BTreeMap<String, String> = renumbered.into_iter().collect();
    let expected: BTreeMap<String, Value> = before
        .into_iter()
        .map(|(row, id)| (row, json!(renumbered[id.as_str().unwrap()])))
        .collect();

    let dry = report(&night.run(&["--dry-run", "--json"]).await);
    let run = night.pass().await;
    for counted in [&dry, &run] {
        assert_eq!(counted["members_linked"], 60, "{counted}");
        assert_eq!(counts(counted), [60, 0, 0, 0, 0, 0, 0], "{counted}");
    }
    assert_eq!(rows(&night).await, expected);
    assert_eq!(night.active().await, 56);
    let person = night.member(&renumbered[&ids[3]]).await;
    assert_eq!(person["archived_reason"], "Moved away");
    let histories = "SELECT e.title, m.external_member_id FROM care_events e JOIN members m ON m.id = e.member_id";
    for row in night.system.database.rows(histories, &[]).await {
        assert_eq!(row["external_member_id"], renumbered[row["title"].as_str().unwrap()].as_str());
    }
    // Nothing is left to be done, and an event of an old id is of nobody here.
    let before = night.versions().await;
    assert_eq!(counts(&night.pass().await), [60, 0, 0, 0, 0, 60, 0]);
    assert_eq!(night.versions().await, before);
    let shown = night.system.faithctl(&["runs", "list", "--json"]).await.json();
    assert_eq!(shown[1]["members_linked"], 60, "{shown}");
}

/// People made by hand in ways of their own: in words of SQL.
const BY_HAND: &str = "
    INSERT INTO members (campus_id, name, phone, is_archived, archived_reason)
    SELECT campus_id, m.* FROM sync_configs, (VALUES
        ('member  ONE', '0812-9000-0001', false, NULL),
        (E'\\tMember Two', '+62 812 9000 0002', true, 'Moved away'),
        ('Member 3', '081290000003', false, NULL),
        ('Member 3', '6281290000003', false, NULL),
        ('Member 4', '081290000004', false, NULL),
        ('Another', '081290000005', false, NULL),
        ('Member 6', NULL, false, NULL)) AS m(name, phone, is_archived, archived_reason);
    INSERT INTO care_events (campus_id, member_id, event_type, event_date, title)
    SELECT campus_id, id, 'visit', now(), name FROM members";

fn known(night: &Night, name: &str, phone: &str) -> String {
    night.create(json!({"full_name": name, "is_active": true, "phone_whatsapp": phone}))
}

#[tokio::test]
async fn people_who_were_made_by_hand_are_linked_unless_there_is_a_doubt() {
    let night = Night::new(0).await;
    night.execute(BY_HAND).await;
    let one = known(&night, "Member One", "6281290000001");
    let two = known(&night, "Member Two", "6281290000002");
    // Two rows here, two members there, another name, no phone.
    let three = known(&night, "Member 3", "6281290000003");
    let four = known(&night, "Member 4", "6281290000004");
    let also_four = known(&night, "MEMBER 4", "081290000004");
    let five = known(&night, "Member 5", "6281290000005");
    let six = night.create(json!({"full_name": "Member 6", "is_active": true}));

    let dry = night.run(&["--dry-run"]).await;
    assert!(dry.stdout.contains("2 here already by phone and name: would be linked"), "{dry:?}");
    assert!(dry.stdout.contains(&one) && !dry.stdout.contains("Member"), "{dry:?}");
    let dry = report(&night.run(&["--dry-run", "--json"]).await);
    let run = night.pass().await;
    for counted in [&dry, &run] {
        assert_eq!(counted["members_linked"], 2, "{counted}");
        assert_eq!(counts(counted)[..5], [7, 5, 0, 0, 0], "{counted}");
    }
    assert_eq!(rows(&night).await.len(), 7 + 5);
    for (id, title) in [(&one, json!("member  ONE")), (&two, json!("\tMember Two"))] {
        let query = "SELECT e.title FROM care_events e JOIN members m ON m.id = e.member_id
                     WHERE m.external_member_id = $1";
        let history = night.system.database.rows(query, &[id]).await;
        assert_eq!(history, [json!({"title": title})]);
    }
    assert_eq!(night.member(&one).await["name"], "Member One");
    let two = night.member(&two).await;
    assert_eq!(
        (&two["is_archived"], &two["archived_reason"]),
        (&json!(true), &json!("Moved away"))
    );
    for id in [&three, &four, &also_four, &five, &six] {
        assert_eq!(night.member(id).await["is_archived"], false);
    }
    let links = "SELECT external_member_id, previous_id FROM member_links ORDER BY 1";
    assert_eq!(night.system.database.rows(links, &[]).await.len(), 2);
    assert_eq!(counts(&night.pass().await)[1..5], [0, 0, 0, 0]);
}

#[tokio::test]
async fn whoever_is_inactive_in_the_core_is_linked_and_archived_within_the_limit() {
    let night = Night::new(0).await;
    night.execute(BY_HAND).await;
    night.execute("UPDATE sync_configs SET archive_limit = 0").await;
    let one = known(&night, "Member One", "6281290000001");
    night.change(&one, json!({"is_active": false}));
    let run = night.ends(4).await;
    assert_eq!((&run["members_linked"], counts(&run)[6]), (&json!(1), 1), "{run}");
    assert_eq!(night.member(&one).await["is_archived"], false);
    night.run(&["--allow-archive", "1"]).await.success();
    assert_eq!(night.member(&one).await["archived_reason"], "Deactivated in core system");
}

#[tokio::test]
async fn nobody_is_linked_where_it_is_switched_off() {
    let night = Night::new(0).await;
    night.execute(BY_HAND).await;
    let set = ["campus", "set", &night.system.campus.id, "--link-members", "off"];
    night.system.faithctl(&set).await.success();
    let shown = night.system.faithctl(&["campus", "show", &night.system.campus.id, "--json"]).await;
    assert_eq!(shown.json()["link_members"], false);
    known(&night, "Member One", "6281290000001");
    let run = night.pass().await;
    assert_eq!((&run["members_linked"], counts(&run)[1]), (&json!(0), 1), "{run}");
    assert_eq!(rows(&night).await.len(), 8);
}

#[tokio::test]
async fn adding_a_campus_says_how_many_would_be_linked() {
    let system = TestSystem::builder().gateways(0).workers(0).spawn().await;
    let church = &core_sim::Options::churches_of(1, 2, 25)[1];
    let here = "22222222-2222-4222-8222-222222222222";
    system
        .database
        .client()
        .batch_execute(&format!(
            "INSERT INTO campuses (id, name) VALUES ('{here}', 'By hand');
             INSERT INTO members (campus_id, name, phone)
             VALUES ('{here}', 'Sumarni', '0812 9000 0001'), ('{here}', 'Somebody', '0812 9000 0002')"
        ))
        .await
        .unwrap();
    let fields = json!({"full_name": "SUMARNI", "phone_whatsapp": "6281290000001"});
    system.core.create(&church.id, fields, Webhook::Silent).unwrap();
    let url = system.core_url();
    let arguments = [
        "campus",
        "add",
        "--name",
        "x",
        "--core-church-id",
        &church.id,
        "--api-base-url",
        &url,
        "--api-email",
        &church.email,
        "--api-password-stdin",
        "--id",
        here,
    ];
    let added = system.faithctl_with_input(&arguments, church.password.as_bytes()).await;
    assert!(added.stderr.contains("1 of 2 people"), "{added:?}");
    added.success();
    assert!(system.variables(Role::Admin).contains_key("DATABASE_URL"));
}
