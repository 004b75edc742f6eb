//! The limit on archives and on returns.

use core_sim::{Endpoint, Fault, FaultKind, Webhook};
use harness::{Role, TestSystem};
use serde_json::json;
use support::program::run_to_end;

use super::night::{Night, assert_failed, counts, report};

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
    night.system.core.restore(&members[1], Webhook::Silent).unwrap();
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
        night.system.core.restore(id, Webhook::Silent).unwrap();
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
    assert!(dry.stdout.contains("more than the campus allows"), "{dry:?}");
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
    // Long enough for the change to be made on a busy machine, and less than the client's time-out.
    let held = FaultKind::Latency { ms: 8000, jitter_ms: 0, stale: false };
    let held = Fault::everywhere(held).at(Endpoint::Member).of_member(&members[0]);
    night.system.core.add_fault(held.with_times(1));
    // The import may have asked for the member too: one change before this run would be none.
    let before = night.system.core.member_requests(&members[0]);
    let change = async {
        harness::eventually(
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
    assert_failed(&run, "configuration was changed");
    assert_eq!(night.member(&members[0]).await["is_archived"], false);
}

/// A campus of so many active members and nobody else.
async fn of_active(members: u64) -> (Night, Vec<String>) {
    let night = Night::new(0).await;
    let fields = |number| json!({"full_name": format!("Member {number}"), "is_active": true});
    let mut ids: Vec<String> = (0..members).map(|number| night.create(fields(number))).collect();
    ids.sort();
    night.pass().await;
    (night, ids)
}

#[tokio::test]
async fn whoever_is_let_through_is_archived_whatever_was_archived_before() {
    let (night, members) = of_active(80).await;
    night.execute("UPDATE sync_configs SET archive_limit = 50").await;
    for id in &members[..20] {
        night.delete(id);
    }
    assert_eq!(counts(&night.pass().await)[3], 20);
    // More than the campus allows were archived today.
    night.execute("UPDATE sync_configs SET archive_limit = 5").await;
    for id in &members[20..22] {
        night.delete(id);
    }
    assert_eq!(counts(&night.ends(4).await)[6], 2);
    for id in &members[22..25] {
        night.delete(id);
    }
    let dry = night.run(&["--allow-archive", "2", "--dry-run", "--json"]).await;
    let run = night.run(&["--allow-archive", "2", "--json"]).await;
    assert_eq!((dry.code, run.code), (Some(3), Some(4)), "{run:?}");
    for told in [report(&dry), report(&run)] {
        assert_eq!((counts(&told)[3], counts(&told)[6]), (2, 3), "{told}");
    }
    for id in &members[20..22] {
        assert_eq!(night.member(id).await["archived_reason"], "Deleted in core system");
    }
    assert_eq!(night.active().await, 58);
    night.run(&["--allow-archive", "3"]).await.success();
    assert_eq!(night.active().await, 55);
    assert_eq!(night.last_run().await["status"], "success");
}

#[tokio::test]
async fn nobody_comes_back_without_an_explicit_word_and_few_at_a_time() {
    let (night, members) = of_active(60).await;
    night.execute("UPDATE sync_configs SET archive_limit = 100").await;
    for id in &members[..40] {
        night.change(id, json!({"is_active": false}));
    }
    assert_eq!(counts(&night.pass().await)[3], 40);
    night.execute("UPDATE sync_configs SET archive_limit = 5").await;
    // The core's next version calls it otherwise.
    let renamed = FaultKind::Rewritten {
        set: serde_json::Map::from_iter([("active".to_owned(), json!(true))]),
        remove: vec!["is_active".to_owned()],
    };
    let renamed = night.fault(renamed);
    let before = night.versions().await;
    let run = night.pass().await;
    assert_eq!(counts(&run)[1..5], [0, 0, 0, 0], "{run}");
    let members_of = |rows: &[serde_json::Value]| {
        rows.iter().filter(|row| row["of"] == "members").cloned().collect::<Vec<_>>()
    };
    assert_eq!(members_of(&night.versions().await), members_of(&before));
    night.system.core.remove_fault(renamed);

    for id in &members[..40] {
        night.change(id, json!({"is_active": true, "full_name": "Back"}));
    }
    let dry = report(&night.run(&["--dry-run", "--json"]).await);
    let run = night.ends(4).await;
    for counted in [&run, &dry] {
        assert_eq!((counts(counted)[4], counts(counted)[6]), (0, 40), "{counted}");
    }
    let held = night.member(&members[0]).await;
    assert_eq!(
        (&held["is_archived"], &held["archived_reason"], &held["name"]),
        (&json!(true), &json!("Deactivated in core system"), &json!("Back"))
    );
    night.run(&["--allow-archive", "40"]).await.success();
    assert_eq!(counts(&night.last_run().await)[4], 40);
    assert_eq!(night.active().await, 60);
}

#[tokio::test]
async fn a_core_that_calls_its_own_list_deleted_or_inactive_archives_nobody() {
    let (night, members) = of_active(60).await;
    for id in &members[..9] {
        night.delete(id);
    }
    for said in [json!({"is_deleted": true, "is_active": false}), json!({"is_active": false})] {
        let set = said.as_object().unwrap().clone();
        let rewritten = FaultKind::Rewritten { set, remove: Vec::new() };
        let fault = Fault::everywhere(rewritten).at(Endpoint::Member);
        let fault = night.system.core.add_fault(fault);
        assert_failed(&night.ends(1).await, "does not know members");
        assert_eq!(night.active().await, 60);
        night.system.core.remove_fault(fault);
    }
    assert_eq!(counts(&night.pass().await)[3], 9);
}

#[tokio::test]
async fn a_small_campus_loses_a_fifth_a_day_and_none_at_a_limit_of_zero() {
    let (night, members) = of_active(10).await;
    for id in &members[..3] {
        night.delete(id);
    }
    assert_eq!(counts(&night.ends(4).await)[6], 3);
    night.system.core.restore(&members[2], Webhook::Silent).unwrap();
    assert_eq!(counts(&night.pass().await)[3], 2);
    // What a day had is remembered for a day, however short the log is kept.
    let mut variables = night.system.variables(Role::Reconciler).clone();
    variables.insert("LOG_RETENTION".to_owned(), "1s".to_owned());
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    run_to_end("reconciler", &["--once"], b"", variables).await.unwrap();
    night.delete(&members[2]);
    assert_eq!(counts(&night.ends(4).await)[6], 1);
    assert_eq!(night.active().await, 8);
    night.system.core.restore(&members[2], Webhook::Silent).unwrap();
    night.execute("UPDATE sync_configs SET archive_limit = 0; DELETE FROM sync_changes").await;
    night.pass().await;
    night.delete(&members[2]);
    assert_eq!(counts(&night.ends(4).await)[6], 1);
    night.run(&["--allow-archive", "1"]).await.success();
    assert_eq!(night.active().await, 7);
}

#[tokio::test]
async fn who_moved_to_another_church_waits_for_an_operator() {
    let (night, members) = of_active(30).await;
    let arguments =
        ["campus", "set", &night.system.campus.id, "--api-email", core_sim::SUPER_ADMIN_EMAIL];
    night.system.faithctl(&arguments).await.success();
    let moved = FaultKind::WrongChurch { as_church_id: None };
    let moved = Fault::everywhere(moved).of_member(&members[0]);
    let moved = night.system.core.add_fault(moved);
    for _ in 0..2 {
        let run = night.ends(4).await;
        assert_eq!((&run["status"], counts(&run)[6]), (&json!("held"), 1), "{run}");
        let said = run["error_message"].as_str().unwrap();
        assert!(said.contains("another church"), "{said}");
        assert_eq!(night.active().await, 30);
    }
    night.run(&["--allow-archive", "1"]).await.success();
    let row = night.member(&members[0]).await;
    assert_eq!(row["archived_reason"], "Deleted in core system");
    assert_eq!(night.pass().await["status"], "success");
    // And back again.
    night.system.core.remove_fault(moved);
    assert_eq!(counts(&night.pass().await)[4], 1);
    assert_eq!(night.active().await, 30);
}

#[tokio::test]
async fn events_archive_by_the_filter_no_more_than_a_night_may() {
    let system = TestSystem::spawn().await;
    let campus = crate::worker::campus_under_test::CampusUnderTest::first(&system);
    let mut members = Vec::new();
    for number in 0..20 {
        members.push(campus.bring(json!({"full_name": format!("Member {number}")})).await);
    }
    let rules =
        json!([{"field": "member_status", "operator": "equals", "value": "Nobody has this"}]);
    crate::worker::filter::set_filter(campus, "include", rules).await;
    let mut archived = 0;
    for member in &members[..8] {
        campus.change(member, json!({"full_name": "Renamed"}));
        let log = campus.sync("member.updated", member).await;
        assert_eq!(log["status"], "processed", "{log}");
        let row = campus.member(member).await;
        assert_eq!(row["name"], "Renamed");
        archived += u64::from(row["is_archived"] == true);
        let verb = if row["is_archived"] == true { "archived" } else { "updated" };
        assert_eq!(log["message"], format!("Member {verb}: Renamed"));
    }
    assert_eq!(archived, 4, "a fifth of twenty");
    let night = Night { system };
    let run = night.ends(4).await;
    assert_eq!((counts(&run)[3], counts(&run)[6]), (0, 16), "{run}");
}
