//! The brake on archives.

use serde_json::json;
use tests::core_sim::{Endpoint, Fault, FaultKind};

use super::night::{Night, counts};

/// The ids of active members, sorted.
async fn active(night: &Night) -> Vec<String> {
    let query = "SELECT external_member_id AS id FROM members WHERE NOT is_archived ORDER BY 1";
    let rows = night.system.database.rows(query, &[]).await;
    rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn ten_may_go_in_a_day_and_the_eleventh_is_held() {
    let night = Night::imported(60).await;
    let members = active(&night).await;
    for id in &members[..6] {
        night.delete(id);
    }
    assert_eq!(counts(&night.pass().await)[3], 6);
    // Four more make ten within the day.
    for id in &members[6..10] {
        night.change(id, json!({"is_active": false}));
    }
    assert_eq!(counts(&night.pass().await)[3], 4);
    night.purge(&members[10]);
    night.change(&members[11], json!({"full_name": "Repaired all the same"}));
    let run = night.ends(4).await;
    assert_eq!(run["status"], "held", "{run}");
    assert_eq!((counts(&run)[2], counts(&run)[3], counts(&run)[6]), (1, 0, 1), "{run}");
    assert_eq!(night.member(&members[10]).await["is_archived"], false);
    assert_eq!(night.member(&members[11]).await["name"], "Repaired all the same");
    // The day after it is free again.
    night.execute("UPDATE sync_changes SET changed_at = changed_at - interval '25 hours'").await;
    assert_eq!(counts(&night.pass().await)[3], 1);
}

#[tokio::test]
async fn held_archives_are_let_through_by_their_number_and_nobody_else() {
    let night = Night::imported(80).await;
    let members = active(&night).await;
    for id in &members[..12] {
        night.delete(id);
    }
    // A member who is inactive and has another name keeps everything but the archive.
    night.change(&members[0], json!({"full_name": "Deleted and renamed"}));
    night.change(&members[12], json!({"is_active": false, "full_name": "Quiet"}));
    let run = night.ends(4).await;
    assert_eq!(counts(&run)[6], 13, "{run}");
    assert_eq!(night.active().await, members.len() as u64);
    let quiet = night.member(&members[12]).await;
    assert_eq!((&quiet["name"], &quiet["is_archived"]), (&json!("Quiet"), &json!(false)));

    let listed = night.system.faithctl(&["runs", "list", "--json"]).await.json();
    assert_eq!(listed[0]["candidates_held"], 13, "{listed}");
    let id = listed[0]["id"].as_str().unwrap();
    let shown = night.system.faithctl(&["runs", "show", id, "--json"]).await.json();
    let held: Vec<&str> = shown["changes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|change| change["kind"] == "held")
        .map(|change| change["external_member_id"].as_str().unwrap())
        .collect();
    assert_eq!(held, members[..13]);
    let sheet = night.system.faithctl(&["runs", "show", id]).await.success();
    assert!(sheet.contains("--allow-archive 13") && !sheet.contains("Quiet"), "{sheet}");
    for wrong in ["12", "14"] {
        let finished = night.run(&["--allow-archive", wrong]).await;
        assert_eq!(finished.code, Some(1), "{finished:?}");
        assert!(
            finished.stderr.contains("the last held run of this campus held 13"),
            "{finished:?}"
        );
    }
    // One of them came back, and one more is gone since: the list of that run is what counts.
    night.system.core.restore(&members[1], tests::core_sim::Webhook::Silent).unwrap();
    for id in &members[20..32] {
        night.delete(id);
    }
    let finished = night.run(&["--allow-archive", "13"]).await;
    assert_eq!(finished.code, Some(4), "{finished:?}");
    let run = night.last_run().await;
    assert_eq!((counts(&run)[3], counts(&run)[6]), (12, 12), "{run}");
    assert_eq!(run["allowed_archives"], 13);
    assert!(run["allowed_by"].is_string() && run["allowed_run_id"].is_string(), "{run}");
    assert_eq!(night.member(&members[1]).await["is_archived"], false);
    assert_eq!(night.member(&members[20]).await["is_archived"], false);
    // What an operator let through does not count for the day.
    for id in &members[22..32] {
        night.system.core.restore(id, tests::core_sim::Webhook::Silent).unwrap();
    }
    assert_eq!(counts(&night.pass().await)[3], 2);
}

#[tokio::test]
async fn a_filter_that_drops_everybody_is_held() {
    let night = Night::imported(60).await;
    let members = night.active().await;
    let rules = r#"[{"field": "member_status", "operator": "equals", "value": "Nobody has this"}]"#;
    night.execute(&format!("UPDATE sync_configs SET filter_rules = '{rules}'")).await;
    let run = night.ends(4).await;
    assert_eq!(counts(&run)[6], i64::try_from(members).unwrap(), "{run}");
    assert_eq!(night.active().await, members);
    let dry = night.run(&["--dry-run"]).await;
    assert_eq!(dry.code, Some(3), "{dry:?}");
    // Only a run that was held says a number that is let through.
    assert!(dry.stdout.contains("more archives than the campus allows"), "{dry:?}");
    assert!(!dry.stdout.contains("--allow-archive"), "{dry:?}");
}

#[tokio::test]
async fn the_share_is_the_campuss_own() {
    let night = Night::imported(60).await;
    let members = active(&night).await;
    night
        .system
        .faithctl(&["campus", "set", &night.system.campus.id, "--archive-limit", "50"])
        .await
        .success();
    for id in &members[..20] {
        night.delete(id);
    }
    assert_eq!(counts(&night.pass().await)[3], 20);
}

#[tokio::test]
async fn a_configuration_that_changes_during_the_run_ends_it() {
    let night = Night::imported(60).await;
    let members = active(&night).await;
    night.delete(&members[0]);
    // Long enough for the change to be made on a busy machine, and short of the client's patience.
    let held = FaultKind::Latency { ms: 8000, jitter_ms: 0, stale: false };
    let held = Fault::everywhere(held).at(Endpoint::Member).of_member(&members[0]);
    night.system.core.add_fault(held.with_times(1));
    // The import may have asked for the member too: one change before this run would be none.
    let before = night.system.core.member_requests(&members[0]);
    let change = async {
        tests::harness::eventually(
            "the run asks for the member",
            std::time::Duration::from_secs(30),
            async || night.system.core.member_requests(&members[0]) > before,
        )
        .await;
        night
            .system
            .faithctl(&["campus", "set", &night.system.campus.id, "--archive-limit", "7"])
            .await
            .success();
    };
    let (run, ()) = tokio::join!(night.ends(1), change);
    super::night::assert_failed(&run, "configuration was changed");
    assert_eq!(night.member(&members[0]).await["is_archived"], false);
}
