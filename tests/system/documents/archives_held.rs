//! `reconciliation.md` and `undecided.md`: archives that are held, and a filter that names what the core does not have.

use harness::TestSystem;
use serde_json::json;

use super::{shell::Shell, walk::Walk};
use crate::worker::campus_under_test::CampusUnderTest;

/// More of 25 than are archived without being asked.
const LEFT: u64 = 10;

#[tokio::test]
async fn archives_that_are_held_are_let_through_and_the_undecided_are_decided() {
    let system = TestSystem::builder().variable("RETRY_DELAYS", "1s").spawn().await;
    let campus = CampusUnderTest::first(&system);
    let once = ["--once", "--campus", &campus.id];
    system.reconcile(&once).await.success();
    let mut shell = Shell::of(&system);

    // Ten members have left.
    let members: Vec<String> =
        (0..=LEFT).map(|row| system.core.member_id(campus.church_id(), row).unwrap()).collect();
    let (stays, left) = members.split_last().unwrap();
    for member in left {
        campus.change(member, json!({"is_active": false}));
    }
    assert_eq!(system.reconcile(&once).await.code, Some(4));
    let runs = system.faithctl(&["runs", "list", "--json"]).await.json();
    shell.set_meaning("RUN", runs[0]["id"].as_str().unwrap());
    shell.set_meaning("N", &runs[0]["candidates_held"].to_string());
    let mut walk = Walk::of("deploy/runbooks/reconciliation.md");
    let look = walk.next(&shell).await;
    assert_eq!(look.last().unwrap().code, Some(3), "{look:#?}");
    walk.next(&shell).await;
    for member in left {
        assert_eq!(campus.member(member).await["is_archived"], true);
    }
    walk.next(&shell).await;
    walk.end();

    // Somebody has saved a filter that names no field of the core's.
    shell.file("rules.json", r#"[{"field": "nobody_has_it", "operator": "equals", "value": "x"}]"#);
    let force =
        ["campus", "set-filter", &campus.id, "--mode", "include", "--force", "--rules", "-"];
    let rules = br#"[{"field": "nobody_has_it", "operator": "equals", "value": "x"}]"#;
    system.faithctl_with_input(&force, rules).await.success();
    let event = campus.post("member.updated", stays).await;
    assert_eq!(campus.dead_letter(&event).await["cause"], "core_bad_response");
    let mut walk = Walk::of("deploy/runbooks/undecided.md");
    let look = walk.next_despite_fault(&shell).await;
    assert!(look[0].stdout.contains("nobody_has_it"), "{look:#?}");
    system.faithctl(&["campus", "clear-filter", &campus.id]).await.success();
    walk.next(&shell).await;
    walk.end();
}
