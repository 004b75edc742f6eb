//! A simulation that is started again on its file has the same members.

use serde_json::json;

use crate::{CoreSim, FIRST_CHURCH_ID, Options, Webhook};

#[tokio::test]
async fn what_was_changed_is_remembered() {
    let folder = std::env::temp_dir().join(format!("core-sim-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&folder).unwrap();
    let state = folder.join("changes.jsonl");
    let start = async || {
        CoreSim::start(Options { state: Some(state.clone()), ..Options::default() }).await.unwrap()
    };
    let sim = start().await;
    let [renamed, purged] = [0, 1].map(|row| sim.member_id(FIRST_CHURCH_ID, row).unwrap());
    sim.change(&renamed, json!({"full_name": "Maria Magdalena"}), Webhook::Silent).unwrap();
    sim.purge(&purged, Webhook::Silent).unwrap();
    sim.import(FIRST_CHURCH_ID, 3, Webhook::Silent).unwrap();
    let made = json!({"full_name": "Budi"});
    let created = sim.create(FIRST_CHURCH_ID, made, Webhook::Silent).unwrap().member;
    let created = created.text("id").unwrap().to_owned();
    drop(sim);
    // Killed in the middle of a line.
    let mut text = std::fs::read(&state).unwrap();
    text.extend(b"{\"church\":");
    std::fs::write(&state, text).unwrap();

    for _ in 0..2 {
        let sim = start().await;
        assert_eq!(sim.member(&renamed).unwrap().text("full_name"), Some("Maria Magdalena"));
        assert!(sim.member(&purged).is_none());
        assert!(sim.member(&created).is_some());
        // 25 and 3 generated ones without the purged one, and the one that was created.
        assert_eq!(sim.total(Some(0), None), 28);
    }
    let sim = start().await;
    let again = sim.create(FIRST_CHURCH_ID, json!({}), Webhook::Silent).unwrap().member;
    assert_ne!(again.text("id"), Some(created.as_str()), "an id is given once");
    std::fs::remove_dir_all(folder).unwrap();
}
