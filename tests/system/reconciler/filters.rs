//! Sync filters, and lists that leave out what the filter asks for.

use serde_json::json;
use tests::core_sim::Endpoint;

use super::night::{Night, counts};

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
