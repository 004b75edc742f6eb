//! What can be done to members, without HTTP.

use serde_json::json;

use super::super::{ChangeCounts, CoreError, FIRST_CHURCH_ID, RandomChanges, Webhook};
use super::{first_member, recorded_member, start};

#[tokio::test]
async fn created_members_are_complete() {
    let sim = start(2).await;
    let fields = json!({"full_name": "Sumarni Ningsih", "favourite": "blue"});
    let member = sim.create(FIRST_CHURCH_ID, fields, Webhook::AsUsual).unwrap().member;
    assert_eq!(member.text("first_name"), Some("Sumarni"));
    assert_eq!(member.text("last_name"), Some("Ningsih"));
    assert_eq!(member.text("church_id"), Some(FIRST_CHURCH_ID));
    assert!(member.text("created_at").unwrap().ends_with('Z'));
    let recorded = recorded_member();
    assert!(recorded.keys().chain(["favourite"]).eq(member.keys()));
    assert_eq!(sim.member(member.text("id").unwrap()), Some(member.clone()));

    let again = sim.create(FIRST_CHURCH_ID, member, Webhook::AsUsual);
    assert_eq!(again.unwrap_err(), CoreError::Exists);
    let nowhere = sim.create("nowhere", json!({}), Webhook::AsUsual);
    assert_eq!(nowhere.unwrap_err(), CoreError::NoChurch);
}

#[tokio::test]
async fn members_live_die_and_come_back() {
    let sim = start(3).await;
    let id = first_member(&sim);
    let before = sim.member(&id).unwrap();
    let changed = sim.change(&id, json!({"full_name": "Other"}), Webhook::AsUsual).unwrap().member;
    assert_eq!(changed.text("full_name"), Some("Other"));
    assert!(!changed.text("updated_at").unwrap().ends_with('Z'));
    assert!(before.keys().eq(changed.keys()));

    let without = sim.remove_keys(&id, &["notes", "gender"]).unwrap();
    assert_eq!((without.get("notes"), without.get("gender")), (None, None));

    sim.delete(&id, Webhook::AsUsual).unwrap();
    assert_eq!(sim.listed(FIRST_CHURCH_ID), Ok(2));
    let restored = sim.restore(&id, Webhook::AsUsual).unwrap().member;
    assert!(restored.is_true("is_active") && !restored.is_true("is_deleted"));
    assert_eq!(sim.listed(FIRST_CHURCH_ID), Ok(3));

    sim.purge(&id, Webhook::AsUsual).unwrap();
    assert_eq!(sim.member(&id), None);
    assert_eq!(sim.change(&id, json!({}), Webhook::AsUsual).unwrap_err(), CoreError::NoMember);
    assert_eq!(sim.purge(&id, Webhook::AsUsual).unwrap_err(), CoreError::NoMember);
    let imported = sim.import(FIRST_CHURCH_ID, 5, Webhook::AsUsual).unwrap();
    assert_eq!((imported.len(), sim.listed(FIRST_CHURCH_ID)), (5, Ok(7)));
    assert!(imported.iter().all(|id| sim.member(id).is_some()));
}

#[tokio::test]
async fn random_changes_follow_from_their_seed() {
    let mut outcomes = Vec::new();
    for _ in 0..2 {
        let sim = start(60).await;
        let mut counts = Vec::new();
        for seed in [5, 6] {
            let changes = RandomChanges { seed, count: 400, ..RandomChanges::default() };
            counts.push(sim.random_changes(&changes).unwrap());
        }
        let mut members = Vec::new();
        for church in &sim.churches {
            sim.for_each_member(&church.id, |member| {
                let mut member = member.clone();
                // The only things that come from the clock.
                for key in ["updated_at", "deleted_at", "created_at"] {
                    member.remove(key);
                }
                members.push(member.to_bytes());
            })
            .unwrap();
        }
        members.sort_unstable();
        outcomes.push((counts, members));
    }
    let ChangeCounts { created, updated, toggled, deleted, restored, purged } = outcomes[0].0[0];
    assert_eq!(created + updated + toggled + deleted + restored + purged, 400);
    assert!([created, updated, toggled, deleted, restored, purged].iter().all(|count| *count > 0));
    assert!(outcomes[0] == outcomes[1]);
}

#[tokio::test]
async fn a_million_members_cost_nothing_to_have() {
    let sim = start(1_000_000).await;
    let id = sim.member_id(FIRST_CHURCH_ID, 999_999).unwrap();
    assert_eq!(sim.member(&id).unwrap().text("id"), Some(id.as_str()));
    assert_eq!(sim.listed(FIRST_CHURCH_ID), Ok(1_000_000));
    let client = super::Client::of_first_church(&sim).await;
    assert_eq!(client.ids("skip=999999&limit=10").await, [id]);
}
