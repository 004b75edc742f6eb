//! Values that an older mapping stored wrong, and values that nobody can read (interface §3).

use core_sim::Endpoint;
use serde_json::json;

use super::night::{Night, counts};

#[tokio::test]
async fn what_an_older_mapping_stored_wrong_is_repaired_by_the_next_night() {
    let night = Night::new(20).await;
    let fields =
        |name: &str| json!({"full_name": name, "phone_whatsapp": "62811111111", "is_active": true});
    let member = night.create(fields("Budi"));
    // The list and the id disagree about this one for ever, which is remembered.
    let settled = night.create(fields("Sari"));
    night.pass().await;
    assert_eq!(night.member(&member).await["phone"], "+62811111111");
    night
        .execute(&format!(
            "UPDATE members SET phone = '+6262811111111' WHERE external_member_id IN ('{member}', '{settled}')"
        ))
        .await;
    // As a night of the version before left it.
    night
        .execute(&format!(
            "INSERT INTO reconciled_rows (campus_id, external_member_id, list_hash, config_version, row_hash)
             SELECT m.campus_id, m.external_member_id, '\\x00', c.version,
                    md5(ROW(m.name, m.phone, m.gender, m.birth_date, m.photo_url, m.category, m.is_archived,
                            m.archived_reason, NULL::bytea)::text)
             FROM members m JOIN sync_configs c USING (campus_id)
             WHERE m.external_member_id = '{settled}'"
        ))
        .await;
    let run = night.pass().await;
    assert_eq!(counts(&run)[2], 2, "{run}");
    for id in [&member, &settled] {
        assert_eq!(night.member(id).await["phone"], "+62811111111");
    }
    night.system.core.reset_counters();
    assert_eq!(counts(&night.pass().await)[2], 0);
    assert_eq!(night.system.core.requests(Endpoint::Member), 0);
}

#[tokio::test]
async fn who_has_a_value_that_cannot_be_read_is_not_asked_for_each_night() {
    let night = Night::new(20).await;
    let member = night.create(
        json!({"full_name": "Budi", "date_of_birth": "1990-01-15", "gender": "Male", "is_active": true}),
    );
    night.pass().await;
    night.change(&member, json!({"date_of_birth": "15/01/1990", "gender": {"code": 1}}));
    for _ in 0..2 {
        night.system.core.reset_counters();
        let run = night.pass().await;
        assert_eq!(counts(&run)[2], 0, "{run}");
        assert_eq!(night.system.core.requests(Endpoint::Member), 0);
        let row = night.member(&member).await;
        assert_eq!((&row["birth_date"], &row["gender"]), (&json!("1990-01-15"), &json!("Male")));
    }
}
