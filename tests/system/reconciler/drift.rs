//! Each kind of drift is repaired, once and only once.

use serde_json::json;

use super::night::{Night, counts};

#[tokio::test]
async fn a_first_import_brings_everybody_and_the_next_night_writes_nothing() {
    let night = Night::new(1300).await;
    let run = night.pass().await;
    assert_eq!((&run["status"], &run["sync_type"]), (&json!("success"), &json!("manual")), "{run}");
    let listed = counts(&run)[0];
    assert!(listed > 1200, "{run}");
    assert_eq!(counts(&run), [listed, listed, 0, 0, 0, 0, 0]);
    night.assert_equal().await;
    let engagement = "SELECT DISTINCT engagement_status, days_since_last_contact FROM members";
    let fresh = json!({"engagement_status": "active", "days_since_last_contact": 999});
    assert_eq!(night.system.database.rows(engagement, &[]).await, [fresh]);

    let before = night.versions().await;
    let run = night.pass().await;
    assert_eq!(counts(&run), [listed, 0, 0, 0, 0, listed, 0]);
    assert_eq!(night.versions().await, before);

    // The other shape of the list is the same list.
    night.count_pages();
    let run = night.pass().await;
    assert_eq!(counts(&run), [listed, 0, 0, 0, 0, listed, 0]);
    assert_eq!(night.versions().await, before);
}

#[tokio::test]
async fn every_kind_of_drift_is_repaired_once() {
    let night = Night::imported(60).await;
    let listed = counts(&night.last_run().await)[0];
    let active: Vec<String> = night
        .system
        .database
        .rows("SELECT external_member_id FROM members WHERE NOT is_archived ORDER BY 1", &[])
        .await
        .iter()
        .map(|row| row["external_member_id"].as_str().unwrap().to_owned())
        .collect();
    let [changed, deactivated, deleted, purged, drifted, back, by_hand] = &active[..7] else {
        panic!("{active:?}")
    };
    night.execute(&format!(
        "UPDATE members SET name = 'Somebody else', phone = NULL WHERE external_member_id = '{drifted}';
         UPDATE members SET is_archived = true, archived_reason = 'Deleted in core system', archived_at = now()
             WHERE external_member_id = '{back}';
         UPDATE members SET is_archived = true, archived_reason = 'Moved away', archived_at = '2020-01-01'
             WHERE external_member_id = '{by_hand}';
         INSERT INTO members (campus_id, name) SELECT campus_id, 'Made by hand' FROM sync_configs;"
    )).await;
    let created = night.create(json!({"full_name": "Sumarni N", "is_active": true}));
    let inactive = night.create(json!({"full_name": "Gone quiet", "is_active": false}));
    night.change(changed, json!({"full_name": "Changed in silence"}));
    night.change(deactivated, json!({"is_active": false}));
    night.delete(deleted);
    night.purge(purged);
    night.change(by_hand, json!({"full_name": "Still away"}));

    let dry = night.run(&["--dry-run"]).await;
    assert_eq!(dry.code, Some(3), "{dry:?}");
    for kind in ["would be created", "would be updated", "would be archived", "would be unarchived"]
    {
        assert!(dry.stdout.contains(kind), "{dry:?}");
    }
    assert!(dry.stdout.contains(&format!("{changed} (name)\n")), "{dry:?}");
    assert!(dry.stdout.contains(&format!("{drifted} (name")), "{dry:?}");
    assert!(!dry.stdout.contains("Changed in silence"), "no names: {dry:?}");
    assert_eq!(counts(&night.last_run().await)[1], listed, "a dry run writes no row");

    let run = night.pass().await;
    assert_eq!(counts(&run), [listed, 2, 3, 3, 1, listed - 7, 0], "{run}");
    for (id, name, archived, reason) in [
        (&created, "Sumarni N", false, json!(null)),
        (&inactive, "Gone quiet", true, json!("Deactivated in core system")),
        (changed, "Changed in silence", false, json!(null)),
        (by_hand, "Still away", true, json!("Moved away")),
    ] {
        let row = night.member(id).await;
        assert_eq!(
            (&row["name"], &row["is_archived"], &row["archived_reason"]),
            (&json!(name), &json!(archived), &reason)
        );
    }
    for (id, reason) in [
        (deactivated, "Deactivated in core system"),
        (deleted, "Deleted in core system"),
        (purged, "Deleted in core system"),
    ] {
        let row = night.member(id).await;
        assert_eq!((&row["is_archived"], &row["archived_reason"]), (&json!(true), &json!(reason)));
        assert!(!row["archived_at"].is_null());
    }
    assert_eq!(night.member(back).await["is_archived"], false);
    assert_ne!(night.member(drifted).await["name"], "Somebody else");
    assert!(night.member(by_hand).await["archived_at"].as_str().unwrap().starts_with("2020"));

    let before = night.versions().await;
    let run = night.pass().await;
    assert_eq!(counts(&run)[1..5], [0, 0, 0, 0], "{run}");
    assert_eq!(night.versions().await, before);
    assert_eq!(night.run(&["--dry-run"]).await.code, Some(0));
}

#[tokio::test]
async fn a_tombstone_of_a_webhook_is_respected_and_a_restore_brings_the_member_back() {
    let night = Night::imported(30).await;
    let id = night.create(json!({"full_name": "Never seen"}));
    // As a webhook's delete of an unknown member leaves it.
    night.execute(&format!(
        "INSERT INTO member_sync (campus_id, external_member_id, seen_from, seen_to, gone, unasked)
         SELECT campus_id, '{id}', nextval('observation'), nextval('observation'), true, true FROM sync_configs"
    )).await;
    night.delete(&id);
    night.pass().await;
    assert!(night.member(&id).await.is_null());
    night.system.core.restore(&id, core_sim::Webhook::Silent).unwrap();
    night.pass().await;
    assert_eq!(night.member(&id).await["name"], "Never seen");
    // Canaries may ask for the same member.
    assert!(night.system.core.member_requests(&id) > 0, "the id decided, not the list");
}
