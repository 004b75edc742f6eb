//! Members and pages that the core cannot give: one bad row spoils that row.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use core_sim::{Endpoint, Fault, FaultKind, Options, SUPER_ADMIN_EMAIL};
use serde_json::{Value, json};
use support::program::Finished;

use super::night::{Night, assert_failed, counts};

/// The undecided of the last run, by name.
async fn undecided(night: &Night) -> Vec<String> {
    let run = night.last_run().await["id"].as_str().unwrap().to_owned();
    let shown = night.system.faithctl(&["runs", "show", &run, "--json"]).await.json();
    let changes = shown["changes"].as_array().unwrap().iter();
    let names: Vec<String> = changes
        .filter(|change| change["kind"] == "undecided")
        .map(|change| change["external_member_id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(shown["members_undecided"], names.len(), "{shown}");
    names
}

/// The report of a command that did not end with 0.
fn json_of(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap()
}

/// Everybody has another name here than in the core.
const DRIFT: &str = "UPDATE members SET name = 'x' WHERE external_member_id IS NOT NULL";

/// How many have another name still.
async fn drifted(night: &Night) -> u64 {
    let query = "SELECT count(*) FROM members WHERE name = 'x'";
    night.system.database.rows(query, &[]).await[0]["count"].as_u64().unwrap()
}

#[tokio::test]
async fn a_member_that_spoils_its_page_and_its_own_answer_spoils_nothing_else() {
    let night = Night::imported(300).await;
    let known = night.id(61);
    let bad = |id: &str| {
        night.system.core.add_fault(Fault::everywhere(FaultKind::BadRow).of_member(id));
    };
    let active = night.active().await;
    night.execute(DRIFT).await;
    bad(&known);
    let run = night.ends(5).await;
    assert_eq!(
        (&run["status"], &run["members_undecided"]),
        (&json!("partial"), &json!(1)),
        "{run}"
    );
    assert_eq!(undecided(&night).await, [known.as_str()]);
    assert_eq!((drifted(&night).await, night.active().await), (1, active));

    // Somebody who was never heard of is known by the place in the list alone.
    let last = night.system.core.listed(&night.system.campus.core_church_id).unwrap();
    let stranger = night.create(json!({"full_name": "Never heard of", "is_active": true}));
    bad(&stranger);
    let run = night.ends(5).await;
    assert_eq!(counts(&run)[1..5], [0, 0, 0, 0], "{run}");
    assert_eq!(undecided(&night).await, [known, format!("row {} of the list", last + 1)]);
    assert!(run["duration_seconds"].as_f64() < Some(10.0), "{run}");

    // A dry run says the same, and the operator's commands tell what can be told.
    let dry = night.run(&["--dry-run", "--json"]).await;
    assert_eq!((dry.code, &json_of(&dry)["members_undecided"]), (Some(5), &json!(2)));
    let id = night.system.campus.id.as_str();
    let said = night.system.faithctl(&["campus", "test-connection", id]).await.success();
    assert!(said.contains(&format!("{} members of church", last - 1)), "{said}");
    assert!(said.contains("2 rows of the list cannot be given by the core"), "{said}");
    assert!(said.contains("was fetched by id, mapped and filtered"), "{said}");
    let fields = night.system.faithctl(&["campus", "discover-fields", id, "--json"]).await.json();
    assert!(fields.as_array().is_some_and(|fields| fields.len() > 10), "{fields}");
}

#[tokio::test]
async fn a_row_that_only_the_list_cannot_give_is_undecided_by_its_members_id() {
    let night = Night::imported(200).await;
    let bad = night.id(120);
    let fault = Fault::everywhere(FaultKind::BadRow).at(Endpoint::List).of_member(&bad);
    night.system.core.add_fault(fault);
    let before = night.active().await;
    let run = night.ends(5).await;
    assert_eq!((undecided(&night).await, night.active().await), (vec![bad], before), "{run}");
}

#[tokio::test]
async fn members_that_fail_by_id_alone_are_undecided_and_all_others_repaired() {
    let night = Night::imported(60).await;
    let mut bad: Vec<String> = [3, 17, 40].map(|row| night.id(row)).to_vec();
    bad.sort();
    for id in &bad {
        let fault = Fault::everywhere(FaultKind::BadRow).at(Endpoint::Member).of_member(id);
        night.system.core.add_fault(fault);
    }
    night.execute(DRIFT).await;
    night.ends(5).await;
    assert_eq!((undecided(&night).await, drifted(&night).await), (bad.clone(), 3));
    // Nor is it the core's trouble where there is nobody else to be asked for.
    let run = night.ends(5).await;
    assert_eq!(undecided(&night).await, bad);
    let [fetched, .., unchanged, _] = counts(&run)[..] else { panic!("{run}") };
    assert_eq!(unchanged, fetched - 3, "undecided is not unchanged: {run}");
    let metrics =
        "SELECT last_sync_status AS status, last_sync_message AS message FROM sync_configs";
    let config = night.system.database.rows(metrics, &[]).await.remove(0);
    assert_eq!(config["status"], "partial");
    assert!(config["message"].as_str().unwrap().contains("are undecided"), "{config}");
}

#[tokio::test]
async fn an_id_that_cannot_be_one_is_reported() {
    let night = Night::new(30).await;
    let church = night.system.campus.core_church_id.clone();
    let odd = json!({"id": "a\u{1}b", "church_id": church, "full_name": "Odd", "is_active": true});
    night.system.core.put(&church, "odd", odd).unwrap();
    let last = night.system.core.listed(&church).unwrap();
    night.ends(5).await;
    assert_eq!(undecided(&night).await, [format!("row {last} of the list")]);
    night.assert_equal_but("a\u{1}b").await;
}

#[tokio::test]
async fn a_core_that_gives_few_rows_at_once_is_asked_for_few() {
    for status in [413, 422, 500] {
        let night = Night::new(300).await;
        night.fault(FaultKind::LargePage { rows: 40, status });
        assert_eq!(night.pass().await["status"], "success");
        night.assert_equal().await;
        let refused = night.system.core.counters().answered(Endpoint::List, status);
        assert!(refused < 8, "{refused} refused");
        // The next night begins with what was right.
        let run = night.pass().await;
        assert!((16..=40).contains(&run["page_rows"].as_u64().unwrap()), "{run}");
    }
}

#[tokio::test]
async fn photos_come_over_a_thin_line() {
    let night = Night::new(0).await;
    let photo = BASE64_STANDARD.encode([&[0xff, 0xd8, 0xff, 0xe0][..], &vec![7; 60_000]].concat());
    for _ in 0..40 {
        night
            .create(json!({"full_name": "With a photo", "photo_base64": photo, "is_active": true}));
    }
    night.system.core.set(|settings| settings.line_bytes_per_second = Some(500_000));
    assert_eq!(night.pass().await["status"], "success");
    night.assert_equal().await;
    let photos = "SELECT count(*) FROM member_photos";
    assert_eq!(night.system.database.rows(photos, &[]).await, [json!({"count": 40})]);
}

#[tokio::test]
async fn a_list_that_does_not_end_is_told_and_archives_nobody() {
    let night = Night::imported(200).await;
    let before = night.versions().await;
    let id = night.system.campus.id.as_str();
    for kind in [FaultKind::Round, FaultKind::IgnoresSkip] {
        for is_counted in [false, true] {
            if is_counted {
                night.count_pages();
            }
            let fault = night.fault(kind.clone());
            assert_failed(&night.ends(1).await, "the core's list comes round again");
            let said = night.system.faithctl(&["campus", "test-connection", id]).await;
            assert_eq!(said.code, Some(1), "{said:?}");
            assert!(said.stderr.contains("comes round again"), "{said:?}");
            night.system.core.remove_fault(fault);
        }
    }
    assert_eq!(night.versions().await, before);
}

#[tokio::test]
async fn a_core_that_is_away_ends_the_run_after_ten_seconds() {
    let mut night = Night::imported(20).await;
    night.execute("UPDATE core_tokens SET token_sealed = NULL").await;
    night.system.core.go_away().await;
    let run = night.ends(1).await;
    let seconds = run["duration_seconds"].as_f64().unwrap();
    assert!((9.0..15.0).contains(&seconds), "{run}");
    assert_failed(&run, "page 1 of the member list");
}

#[tokio::test]
async fn a_super_admin_that_must_name_its_church_can() {
    let churches = Options::churches_of(1, 2, 40);
    let mut core = Options { churches, ..Options::default() };
    core.settings.super_admin_names_church = true;
    let night = Night::of(core).await;
    let arguments = ["campus", "set", &night.system.campus.id, "--api-email", SUPER_ADMIN_EMAIL];
    night.system.faithctl(&arguments).await.success();
    assert_eq!(night.pass().await["status"], "success");
    night.assert_equal().await;
}

#[tokio::test]
async fn an_archive_with_another_reason_is_counted() {
    let night = Night::new(30).await;
    let rules = r#"[{"field": "gender", "operator": "equals", "value": "Female"}]"#;
    let filter = |rules: &str| {
        format!("UPDATE sync_configs SET filter_rules = '{rules}', archive_limit = 100")
    };
    night.execute(&filter("[]")).await;
    let member = night.create(json!({"full_name": "Goes", "gender": "Male", "is_active": true}));
    night.pass().await;
    night.change(&member, json!({"is_active": false}));
    night.pass().await;
    assert_eq!(night.member(&member).await["archived_reason"], "Deactivated in core system");
    night.execute(&filter(rules)).await;
    let dry = night.run(&["--dry-run", "--json"]).await;
    assert_eq!(dry.code, Some(3), "{dry:?}");
    let run = night.pass().await;
    assert_eq!(
        night.member(&member).await["archived_reason"],
        "No longer matches sync filter rules"
    );
    assert!(counts(&run)[2] >= 1, "{run}");
    let report = json_of(&dry);
    for key in ["members_updated", "members_archived", "members_unchanged"] {
        assert_eq!(report[key], run[key], "{key}: {report} and {run}");
    }
}

#[tokio::test]
async fn an_interrupted_run_says_what_it_wrote() {
    let night = Night::imported(900).await;
    night.execute(DRIFT).await;
    let slow = FaultKind::Latency { ms: 20, jitter_ms: 0, stale: false };
    night.system.core.add_fault(Fault::everywhere(slow).at(Endpoint::Member));
    let program = night.process("interrupted");
    harness::eventually("something is repaired", Duration::from_mins(1), async || {
        night.system.core.requests(Endpoint::Member) > 400
    })
    .await;
    let status = program.terminate(Duration::from_secs(25)).await.unwrap();
    assert_eq!(status.code(), Some(130));
    let run = night.last_run().await;
    let repaired =
        "SELECT count(*) FROM members WHERE external_member_id IS NOT NULL AND name <> 'x'";
    let repaired = night.system.database.rows(repaired, &[]).await[0]["count"].as_i64().unwrap();
    assert!(repaired > 0 && repaired < 800, "{repaired}");
    assert_eq!(run["members_updated"], Value::from(repaired), "{run}");
}

#[tokio::test]
async fn a_run_that_loses_postgres_is_an_error_at_once() {
    let night = Night::imported(60).await;
    let slow = FaultKind::Latency { ms: 4000, jitter_ms: 0, stale: false };
    night.system.core.add_fault(Fault::everywhere(slow).at(Endpoint::List));
    let lost = async {
        let asked = night.system.core.requests(Endpoint::List);
        harness::eventually("the list is asked for", Duration::from_mins(1), async || {
            night.system.core.requests(Endpoint::List) > asked
        })
        .await;
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE application_name = 'reconciler' AND datname = current_database()";
        night.execute(end).await;
    };
    let (run, ()) = tokio::join!(night.ends(1), lost);
    assert_failed(&run, "the session with Postgres was lost");
    assert!(run["duration_seconds"].as_f64() < Some(4.0), "{run}");
}
