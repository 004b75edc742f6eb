//! The sync filter on live events (interface §3).

use core_sim::Webhook;
use harness::TestSystem;
use serde_json::{Value, json};

use super::campus_under_test::{CampusUnderTest, archive_of};

/// Saves a filter as an operator does who knows its fields: a core that is slow is not asked for them.
pub(crate) async fn set_filter(campus: CampusUnderTest<'_>, mode: &str, rules: Value) {
    let id = campus.id.as_str();
    let arguments = ["campus", "set-filter", id, "--mode", mode, "--rules", "-", "--force"];
    let rules = rules.to_string();
    campus.system.faithctl_with_input(&arguments, rules.as_bytes()).await.success();
}

#[tokio::test]
async fn who_fails_the_filter_is_archived_or_kept_out_and_let_in_again() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let known = campus.bring(json!({"full_name": "Known", "member_status": "Visitor"})).await;
    let unknown = campus.create(json!({"full_name": "Unknown", "member_status": "Visitor"}));
    let kept = campus.create(json!({"full_name": "Kept", "member_status": "Full Member"}));
    set_filter(
        campus,
        "include",
        json!([{"field": "member_status", "operator": "equals", "value": "Full Member"}]),
    )
    .await;

    let log = campus.sync("member.updated", &known).await;
    assert_eq!(
        (&log["status"], &log["message"]),
        (&json!("processed"), &json!("Member archived: Known"))
    );
    let row = campus.member(&known).await;
    assert_eq!(
        (&row["is_archived"], &row["archived_reason"]),
        (&json!(true), &json!("No longer matches sync filter rules"))
    );
    let log = campus.sync("member.created", &unknown).await;
    assert_eq!(log["status"], "filtered");
    assert_eq!(campus.row(&unknown).await, None);
    assert_eq!(campus.sync("member.created", &kept).await["message"], "Member created: Kept");

    // Filtered and already known to be so.
    assert_eq!(campus.sync("member.updated", &known).await["status"], "processed");
    assert_eq!(campus.sync("member.updated", &unknown).await["status"], "filtered");
    // A delete of someone who was kept out is a delete of nobody.
    system.core.delete(&unknown, Webhook::Silent).unwrap();
    assert_eq!(campus.sync("member.deleted", &unknown).await["status"], "processed");
    system.core.restore(&unknown, Webhook::Silent).unwrap();

    campus.change(&known, json!({"member_status": "Full Member"}));
    assert_eq!(campus.sync("member.updated", &known).await["message"], "Member updated: Known");
    let row = campus.member(&known).await;
    assert_eq!(archive_of(&row), (false, &Value::Null, &Value::Null));

    // The next event finds the filter that is in force then.
    system.faithctl(&["campus", "clear-filter", &campus.id]).await.success();
    assert_eq!(campus.sync("member.updated", &unknown).await["message"], "Member created: Unknown");
}

#[tokio::test]
async fn a_missing_value_fails_every_rule_but_the_negative_ones() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let nobody =
        campus.create(json!({"full_name": "Nobody", "gender": null, "date_of_birth": null}));
    let kept = [
        ("exclude", json!([{"field": "gender", "operator": "equals", "value": "Male"}])),
        ("include", json!([{"field": "gender", "operator": "not_equals", "value": "Male"}])),
        ("include", json!([{"field": "gender", "operator": "not_in", "value": ["Male"]}])),
        (
            "exclude",
            json!([{"field": "date_of_birth", "operator": "between", "value": ["0", "150"]}]),
        ),
    ];
    for (mode, rules) in kept {
        set_filter(campus, mode, rules.clone()).await;
        assert_eq!(
            campus.sync("member.updated", &nobody).await["status"],
            "processed",
            "{mode} {rules}"
        );
        assert_eq!(campus.member(&nobody).await["is_archived"], false, "{mode} {rules}");
    }
    let dropped = [
        ("include", json!([{"field": "gender", "operator": "in", "value": ["Male", "Female"]}])),
        ("include", json!([{"field": "date_of_birth", "operator": "less_than", "value": 150}])),
        ("exclude", json!([{"field": "gender", "operator": "not_equals", "value": "Male"}])),
    ];
    for (mode, rules) in dropped {
        set_filter(campus, mode, rules.clone()).await;
        campus.sync("member.updated", &nobody).await;
        assert_eq!(campus.member(&nobody).await["is_archived"], true, "{mode} {rules}");
    }
}

#[tokio::test]
async fn all_rules_must_hold_and_birth_dates_are_compared_by_age() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let year = chrono::Utc::now().format("%Y").to_string().parse::<i32>().unwrap();
    let born = |age: i32| format!("{}-01-01", year - age);
    let woman = campus
        .create(json!({"full_name": "Young woman", "gender": "Female", "date_of_birth": born(20)}));
    let man = campus
        .create(json!({"full_name": "Young man", "gender": "Male", "date_of_birth": born(20)}));
    let grandmother = campus
        .create(json!({"full_name": "Grandmother", "gender": "Female", "date_of_birth": born(80)}));
    let rules = json!([
        {"field": "gender", "operator": "equals", "value": "Female"},
        {"field": "date_of_birth", "operator": "between", "value": ["18", "35"]},
    ]);
    for (mode, expected) in [
        ("include", ["processed", "filtered", "filtered"]),
        ("exclude", ["filtered", "processed", "processed"]),
    ] {
        campus.execute("DELETE FROM members").await;
        set_filter(campus, mode, rules.clone()).await;
        for (member, expected) in [&woman, &man, &grandmother].into_iter().zip(expected) {
            assert_eq!(
                campus.sync("member.updated", member).await["status"],
                expected,
                "{mode} {member}"
            );
        }
    }
}

#[tokio::test]
async fn a_filter_that_names_what_no_member_has_decides_nothing_and_says_so() {
    let system = TestSystem::builder().variable("RETRY_DELAYS", "100ms").spawn().await;
    let campus = CampusUnderTest::first(&system);
    let known = campus.bring(json!({"full_name": "Known", "gender": "Male"})).await;
    let rules = json!([{"field": "gendr", "operator": "equals", "value": "Female"}]).to_string();
    let set = ["campus", "set-filter", &campus.id, "--mode", "include", "--rules", "-"];
    system
        .faithctl_with_input(&[&set[..], &["--force"]].concat(), rules.as_bytes())
        .await
        .success();

    let event = campus.post("member.updated", &known).await;
    let letter = campus.dead_letter(&event).await;
    assert_eq!(letter["cause"], "core_bad_response");
    assert!(letter["reason"].as_str().unwrap().contains("gendr"), "{letter}");
    assert_eq!(campus.member(&known).await["is_archived"], false);
    let page = format!("{}/metrics", system.admin_url("worker", 0));
    let metrics = reqwest::get(page).await.unwrap().text().await.unwrap();
    let series = format!("worker_members_undecided_total{{campus=\"{}\"", campus.id);
    let line = metrics.lines().find(|line| line.starts_with(&series));
    assert!(line.is_some_and(|line| line.ends_with(" 2")), "two attempts: {line:?}");
    let doctor = system.faithctl(&["doctor"]).await;
    assert_eq!(doctor.code, Some(1), "{doctor:?}");
    assert!(doctor.stdout.contains("did you mean gender?"), "{doctor:?}");
}
