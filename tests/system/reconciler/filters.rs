//! Sync filters, and lists that leave out what the filter asks for.

use chrono::{Months, TimeDelta, Utc};
use core_sim::Endpoint;
use serde_json::json;

use super::night::{Night, assert_failed, counts};

async fn filter(night: &Night, rules: &str) {
    night
        .execute(&format!("UPDATE sync_configs SET filter_rules = '{rules}', archive_limit = 100"))
        .await;
}

#[tokio::test]
async fn whom_the_filter_drops_is_archived_and_who_comes_back_is_unarchived() {
    let night = Night::new(40).await;
    filter(&night, r#"[{"field": "gender", "operator": "equals", "value": "Female"}]"#).await;
    let stays = night.create(json!({"full_name": "Stays", "gender": "Female", "is_active": true}));
    let goes = night.create(json!({"full_name": "Goes", "gender": "Female", "is_active": true}));
    let never = night.create(json!({"full_name": "Never", "gender": "Male", "is_active": true}));
    night.pass().await;
    assert!(night.member(&never).await.is_null());
    night.change(&goes, json!({"gender": "Male"}));
    assert_eq!(counts(&night.pass().await)[3], 1);
    let row = night.member(&goes).await;
    assert_eq!(row["archived_reason"], "No longer matches sync filter rules");
    night.change(&goes, json!({"gender": "Female"}));
    assert_eq!(counts(&night.pass().await)[4], 1);
    assert_eq!(night.member(&goes).await["is_archived"], false);
    assert_eq!(night.member(&stays).await["is_archived"], false);
}

#[tokio::test]
async fn a_field_that_lists_leave_out_is_asked_for_by_id_once() {
    let night = Night::new(60).await;
    night.system.core.set(|settings| settings.projection = true);
    filter(&night, r#"[{"field": "city", "operator": "equals", "value": "Bandung"}]"#).await;
    let kept = night.create(json!({"full_name": "Kept", "city": "Bandung", "is_active": true}));
    let dropped =
        night.create(json!({"full_name": "Dropped", "city": "Jakarta", "is_active": true}));
    night.pass().await;
    assert_eq!(night.member(&kept).await["is_archived"], false);
    assert!(night.member(&dropped).await.is_null());
    let before = night.versions().await;
    night.system.core.reset_counters();
    let run = night.pass().await;
    assert_eq!(counts(&run)[1..5], [0, 0, 0, 0], "{run}");
    assert_eq!(
        night.system.core.requests(Endpoint::Member),
        0,
        "what the ids decided is remembered"
    );
    assert_eq!(night.versions().await, before);
    // A change that the list does not show moves the list's updated_at, and only that one is asked.
    night.change(&kept, json!({"city": "Jakarta"}));
    let run = night.pass().await;
    assert_eq!(counts(&run)[3], 1, "{run}");
    assert_eq!(night.member(&kept).await["archived_reason"], "No longer matches sync filter rules");
    night.system.core.reset_counters();
    night.pass().await;
    assert_eq!(night.system.core.requests(Endpoint::Member), 0);
    // Another filter asks anew.
    filter(&night, r#"[{"field": "city", "operator": "in", "value": ["Jakarta", "Bandung"]}]"#)
        .await;
    night.pass().await;
    assert_eq!(night.member(&kept).await["is_archived"], false);
    assert_eq!(night.member(&dropped).await["is_archived"], false);
}

#[tokio::test]
async fn drift_here_of_a_remembered_member_is_seen_all_the_same() {
    let night = Night::new(60).await;
    night.system.core.set(|settings| settings.projection = true);
    filter(&night, r#"[{"field": "city", "operator": "equals", "value": "Bandung"}]"#).await;
    let kept = night.create(json!({"full_name": "Kept", "city": "Bandung", "is_active": true}));
    night.pass().await;
    night.execute("UPDATE members SET name = 'Somebody else'").await;
    assert!(counts(&night.pass().await)[2] > 0);
    assert_eq!(night.member(&kept).await["name"], "Kept");
}

#[tokio::test]
async fn a_field_that_lists_give_a_default_in_is_decided_by_id() {
    let night = Night::new(40).await;
    let wanted = r#"[{"field": "participate_in_automation", "operator": "is_true", "value": ""}]"#;
    filter(&night, wanted).await;
    night.list_says(&json!({"participate_in_automation": true}));
    let out = |name: &str| {
        night.create(
            json!({"full_name": name, "is_active": true, "participate_in_automation": false}),
        )
    };
    let (never, late) = (out("Never"), out("Late"));
    let kept = night.create(json!({"full_name": "Kept", "is_active": true}));
    night.pass().await;
    assert!(night.member(&never).await.is_null() && night.member(&late).await.is_null());
    assert_eq!(night.member(&kept).await["is_archived"], false);
    night.change(&late, json!({"participate_in_automation": true}));
    night.change(&kept, json!({"participate_in_automation": false}));
    night.pass().await;
    assert_eq!(night.member(&late).await["is_archived"], false);
    assert_eq!(night.member(&kept).await["archived_reason"], "No longer matches sync filter rules");
    night.system.core.reset_counters();
    night.pass().await;
    assert_eq!(
        night.system.core.requests(Endpoint::Member),
        0,
        "what the ids decided is remembered"
    );
}

#[tokio::test]
async fn a_field_that_lists_have_otherwise_than_the_ids_is_decided_by_id() {
    let night = Night::new(0).await;
    filter(&night, r#"[{"field": "city", "operator": "equals", "value": "Bandung"}]"#).await;
    // The list's cities vary, and are all wrong.
    let ids: Vec<String> = (0..12)
        .map(|number| {
            let city = if number % 2 == 0 { "Bandung" } else { "Jakarta" };
            night.create(
                json!({"full_name": format!("Member {number}"), "city": city, "is_active": true}),
            )
        })
        .collect();
    night.pass().await;
    assert_eq!(night.active().await, 6);
    night.system.core.set(|settings| settings.list_mixes_up = vec!["city".to_owned()]);
    night
        .execute("DELETE FROM members; DELETE FROM member_sync; DELETE FROM reconciled_rows")
        .await;
    night.pass().await;
    for (number, id) in ids.iter().enumerate() {
        assert_eq!(night.member(id).await.is_null(), number % 2 == 1);
    }
}

#[tokio::test]
async fn columns_that_lists_leave_empty_are_filled_from_the_id() {
    let night = Night::new(40).await;
    night.list_says(&json!({"member_status": null, "photo_url": null, "photo_base64": null}));
    night.system.core.reset_counters();
    night.pass().await;
    assert!(night.system.core.requests(Endpoint::Member) >= 40);
    let church = &night.system.campus.core_church_id;
    let mut expected = Vec::new();
    night
        .system
        .core
        .for_each_member(church, |member| {
            let text = |key: &str| member.text(key).map(str::to_owned);
            let url = text("photo_url").filter(|url| url.starts_with("http"));
            let photo = url.is_none() && text("photo_base64").is_some();
            let id = text("id").unwrap();
            expected.push(json!({"id": id, "category": text("member_status"), "photo_url": url, "photo": photo}));
        })
        .unwrap();
    expected.sort_by_key(|row| row["id"].to_string());
    let query = "SELECT m.external_member_id AS id, m.category, m.photo_url, p.member_id IS NOT NULL AS photo
                 FROM members m LEFT JOIN member_photos p ON p.member_id = m.id ORDER BY 1";
    let mut here = night.system.database.rows(query, &[]).await;
    here.sort_by_key(|row| row["id"].to_string());
    assert_eq!(here, expected);
    night.system.core.reset_counters();
    let run = night.pass().await;
    assert_eq!(counts(&run)[1..5], [0, 0, 0, 0], "{run}");
    assert_eq!(night.system.core.requests(Endpoint::Member), 0);
}

#[tokio::test]
async fn a_birthday_is_noticed_beside_a_field_that_lists_leave_out() {
    let night = Night::new(40).await;
    night.system.core.set(|settings| settings.projection = true);
    // On Kiritimati, where it is always a later day than in Pago Pago.
    let tomorrow = (Utc::now() + TimeDelta::hours(14)).date_naive();
    let born = tomorrow - Months::new(12 * 18);
    let adult = night.create(
        json!({"full_name": "Adult soon", "city": "Bandung", "date_of_birth": born, "is_active": true}),
    );
    // Whoever changes the zone otherwise has everybody asked for anew.
    let zone = async |zone: &str| {
        let update = format!(
            "SET session_replication_role = replica; UPDATE campuses SET timezone = '{zone}';
             RESET session_replication_role"
        );
        night.execute(&update).await;
    };
    zone("Pacific/Pago_Pago").await;
    filter(
        &night,
        r#"[{"field": "city", "operator": "equals", "value": "Bandung"},
            {"field": "date_of_birth", "operator": "greater_than", "value": "17"}]"#,
    )
    .await;
    night.pass().await;
    assert!(night.member(&adult).await.is_null());
    night.system.core.reset_counters();
    night.pass().await;
    assert_eq!(
        night.system.core.requests(Endpoint::Member),
        0,
        "what the ids decided is remembered"
    );
    zone("Pacific/Kiritimati").await;
    night.pass().await;
    assert_eq!(night.member(&adult).await["age"], 18);
}

#[tokio::test]
async fn what_a_filter_cannot_decide_is_a_figure_and_never_success() {
    let night = Night::imported(30).await;
    let active = night.active().await;
    // One member that the field is missing of spoils nobody else.
    filter(&night, r#"[{"field": "occupation", "operator": "not_equals", "value": "Robot"}]"#)
        .await;
    let lacking = night.id(3);
    night.system.core.remove_keys(&lacking, &["occupation"]).unwrap();
    night.execute("UPDATE members SET name = 'Drifted'").await;
    let run = night.ends(5).await;
    assert_eq!(
        (&run["status"], &run["members_undecided"]),
        (&json!("partial"), &json!(1)),
        "{run}"
    );
    assert_eq!(night.member(&lacking).await["name"], "Drifted");
    let query = "SELECT count(*) AS number FROM members WHERE name = 'Drifted'";
    assert_eq!(night.system.database.rows(query, &[]).await[0]["number"], 1);

    // One that everybody lacks decides nothing.
    filter(&night, r#"[{"field": "gendr", "operator": "equals", "value": "Female"}]"#).await;
    let run = night.ends(1).await;
    assert_failed(&run, "gendr");
    assert_eq!(run["members_undecided"], run["members_fetched"], "{run}");
    assert_eq!((counts(&run)[5], night.active().await), (0, active), "{run}");
    assert_eq!(night.run(&["--dry-run"]).await.code, Some(1));
    let status = night.system.faithctl(&["status", "--json"]).await;
    let told = format!("{} members or rows are undecided", run["members_undecided"]);
    assert!(status.stdout.contains(&told), "{status:?}");
}
