//! Secrets: rotated with a grace, sealed at rest, and never shown twice.

use std::time::Duration;

use core_sim::Options;
use harness::{Role, TestSystem, eventually};
use serde_json::{Value, json};
use support::program::{Program, binary};

use super::{assert_failed, campus_alone, faithctl_with};

const OTHER_KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

#[tokio::test]
async fn within_the_grace_both_secrets_work_and_without_one_only_the_new() {
    let system = TestSystem::builder().workers(0).spawn().await;
    let campus = &system.campus;
    let body = format!(r#"{{"event_type":"test","church_id":"{}"}}"#, campus.core_church_id);
    let status = async |secret: &str| system.post_signed(secret, &body).await.status;
    let rotate = async |more: &[&str]| {
        let arguments = [&["campus", "rotate-secret", &campus.id, "--json"], more].concat();
        let rotated = system.faithctl(&arguments).await.json();
        assert_eq!(rotated["campus_id"], campus.id.as_str());
        rotated["webhook_secret"].as_str().unwrap().to_owned()
    };
    let accepted = async |secret: &str| {
        eventually("the secret works", Duration::from_secs(10), async || {
            status(secret).await == 200
        })
        .await;
    };

    let second = rotate(&[]).await;
    assert_eq!(second.len(), 32);
    accepted(&second).await;
    assert_eq!(status(&campus.secret).await, 200, "a day is the grace unless told otherwise");

    let third = rotate(&["--grace", "0s"]).await;
    accepted(&third).await;
    assert_eq!((status(&second).await, status(&campus.secret).await), (401, 401));
}

#[tokio::test]
async fn the_grace_is_shown_while_it_runs_by_the_databases_clock() {
    let system = campus_alone().await;
    let id = system.campus.id.as_str();
    let rotate = ["campus", "rotate-secret", id, "--grace", "2h", "--secret-stdin"];
    let rotated =
        system.faithctl_with_input(&rotate, b"a secret that somebody else made, long\n").await;
    assert_eq!(rotated.success(), "a secret that somebody else made, long\n");
    let query = "SELECT extract(epoch FROM previous_secret_expires_at - now())::integer AS left,
                        webhook_secret_set_at > now() - interval '1 minute' AS fresh FROM sync_configs";
    let row = system.database.rows(query, &[]).await.pop().unwrap();
    assert!((7100..=7200).contains(&row["left"].as_i64().unwrap()), "{row}");
    assert_eq!(row["fresh"], true);
    let shown = system.faithctl(&["campus", "show", id]).await.success();
    assert!(shown.contains("both work until then"), "{shown}");

    let again = system.faithctl(&["campus", "rotate-secret", id, "--grace", "1h"]).await;
    assert!(again.stderr.contains("the secret before that one stopped working"), "{again:?}");
    for grace in ["1", "-1s", "9999d"] {
        let finished = system.faithctl(&["campus", "rotate-secret", id, "--grace", grace]).await;
        assert_eq!(finished.code, Some(2), "{grace}");
    }
}

#[tokio::test]
async fn an_old_secret_is_worth_a_warning() {
    let system = campus_alone().await;
    let id = system.campus.id.as_str();
    let age = "UPDATE sync_configs SET webhook_secret_set_at = now() - interval '91 days'";
    system.database.client().batch_execute(age).await.unwrap();
    let shown = system.faithctl(&["campus", "show", id]).await;
    assert!(shown.stderr.contains("rotate-secret"), "{shown:?}");
}

#[tokio::test]
async fn no_secret_is_shown_or_stored_in_the_clear() {
    let system = campus_alone().await;
    let (id, secret) = (system.campus.id.as_str(), system.campus.secret.as_str());
    let password = core_sim::DEFAULT_PASSWORD;
    let debug = [("RUST_LOG", "debug")];
    for arguments in [
        &["campus", "show", id][..],
        &["campus", "show", id, "--json"],
        &["campus", "list"],
        &["campus", "list", "--json"],
        &["doctor", "--json"],
        &["campus", "test-connection", id],
    ] {
        let finished = faithctl_with(&system, arguments, &debug).await;
        let said = format!("{}{}", finished.stdout, finished.stderr);
        assert!(!said.contains(secret), "{arguments:?}: {said}");
        assert!(!said.contains(&format!("\"{password}\"")), "{arguments:?}: {said}");
    }
    let stored = "SELECT encode(webhook_secret_sealed || api_password_sealed, 'escape') AS sealed FROM sync_configs";
    let sealed = system.database.rows(stored, &[]).await.pop().unwrap();
    let sealed = sealed["sealed"].as_str().unwrap();
    assert!(!sealed.contains(secret) && !sealed.contains(password));
}

#[tokio::test]
async fn another_key_opens_nothing_and_that_is_said() {
    let system = campus_alone().await;
    let id = system.campus.id.as_str();
    let key = [("SECRETS_KEY", OTHER_KEY)];
    let send = ["send-test", id, "--gateway", "http://127.0.0.1:9"];
    assert_failed(&faithctl_with(&system, &send, &key).await, 1, "SECRETS_KEY");
    let test = ["campus", "test-connection", id];
    assert_failed(&faithctl_with(&system, &test, &key).await, 1, "SECRETS_KEY");
    for wrong in ["", "c2hvcnQ="] {
        let finished = faithctl_with(&system, &send, &[("SECRETS_KEY", wrong)]).await;
        assert_failed(&finished, 2, "SECRETS_KEY: ");
        assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
    }
}

#[tokio::test]
async fn everything_is_sealed_anew_and_the_key_before_is_not_needed_any_more() {
    let system = campus_alone().await;
    let id = system.campus.id.as_str();
    let old = system.variables(Role::Admin)["SECRETS_KEY"].clone();
    system.faithctl(&["campus", "rotate-secret", id]).await.success();
    let both = [("SECRETS_KEY", OTHER_KEY), ("SECRETS_KEY_PREVIOUS", old.as_str())];
    let new = [("SECRETS_KEY", OTHER_KEY)];

    assert_failed(&faithctl_with(&system, &["rekey"], &new).await, 1, "opens with neither key");
    let rekeyed = faithctl_with(&system, &["rekey", "--json"], &both).await.json();
    assert_eq!((&rekeyed["campuses"], &rekeyed["sealed_anew"]), (&json!(1), &json!(3)));
    let again = faithctl_with(&system, &["rekey", "--json"], &both).await.json();
    assert_eq!(again["sealed_anew"], 0, "what is done is done");

    faithctl_with(&system, &["campus", "test-connection", id], &new).await.success();
    assert_failed(&system.faithctl(&["campus", "test-connection", id]).await, 1, "SECRETS_KEY");
}

#[tokio::test]
async fn what_opens_with_neither_key_is_named_and_the_rest_goes_on() {
    let system = campus_alone().await;
    let later = system.add_campus(&Options::default().churches[1], &[]).await;
    let client = system.database.client();
    let old = system.variables(Role::Admin)["SECRETS_KEY"].clone();
    let both = [("SECRETS_KEY", OTHER_KEY), ("SECRETS_KEY_PREVIOUS", old.as_str())];

    // A token is only remembered: one that does not open is forgotten.
    let token = format!(
        "INSERT INTO core_tokens (campus_id, token_sealed, version) VALUES ('{}', 'x', 3)
         ON CONFLICT (campus_id) DO UPDATE SET token_sealed = 'x'",
        system.campus.id
    );
    client.batch_execute(&token).await.unwrap();
    let rekeyed = faithctl_with(&system, &["rekey", "--json"], &both).await.json();
    assert_eq!((&rekeyed["sealed_anew"], &rekeyed["unopened"]), (&json!(4), &json!([])));
    let tokens = system.database.rows("SELECT token_sealed FROM core_tokens", &[]).await;
    assert_eq!(tokens, [json!({"token_sealed": null})]);

    // One secret that is lost leaves all others to be sealed anew.
    let lost = format!(
        "UPDATE sync_configs SET webhook_secret_sealed = 'x' WHERE campus_id = '{}'",
        system.campus.id
    );
    client.batch_execute(&lost).await.unwrap();
    let back = [("SECRETS_KEY", old.as_str()), ("SECRETS_KEY_PREVIOUS", OTHER_KEY)];
    let rekeyed = faithctl_with(&system, &["rekey"], &back).await;
    let named = format!("campus {}: the webhook secret opens with neither key", system.campus.id);
    assert_failed(&rekeyed, 1, &named);
    for id in [&system.campus.id, &later.id] {
        let test = ["campus", "test-connection", id];
        faithctl_with(&system, &test, &[("SECRETS_KEY", old.as_str())]).await.success();
    }
}

#[tokio::test]
async fn a_rekey_that_was_killed_goes_on_where_it_was() {
    let system = campus_alone().await;
    let later = system.add_campus(&Options::default().churches[1], &[]).await;
    let old = system.variables(Role::Admin)["SECRETS_KEY"].clone();
    let both = [("SECRETS_KEY", OTHER_KEY), ("SECRETS_KEY_PREVIOUS", old.as_str())];
    // Whether everything that is sealed of a campus opens.
    let opens = async |id: &str, changes: &[(&str, &str)]| {
        let finished = faithctl_with(&system, &["doctor", "--json"], changes).await;
        let report: Value = serde_json::from_str(&finished.stdout).unwrap();
        let mut checks = report.as_array().unwrap().iter();
        !checks.any(|check| {
            check["check"].as_str().unwrap().contains(id)
                && check["detail"].as_str().unwrap().contains("does not open")
        })
    };
    // Campuses go by their ids, and those that are made later have the greater ones.
    let mut other = system.database.connect().await;
    let holding = other.transaction().await.unwrap();
    let hold = format!("SELECT FROM sync_configs WHERE campus_id = '{}' FOR UPDATE", later.id);
    holding.batch_execute(&hold).await.unwrap();
    let rekey = Program::new("rekey", binary("faithctl").unwrap(), system.folder().path())
        .arguments(["rekey"])
        .clean_environment()
        .variables(system.variables(Role::Admin).clone())
        .variables(both);
    rekey.start().unwrap();
    eventually("it waits for the second campus", Duration::from_secs(20), async || {
        let waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database()
                       AND application_name = 'faithctl' AND wait_event_type = 'Lock'";
        !system.database.rows(waiting, &[]).await.is_empty()
    })
    .await;
    rekey.kill();
    rekey.wait().await;
    holding.rollback().await.unwrap();

    let new = [("SECRETS_KEY", OTHER_KEY)];
    let first = system.campus.id.as_str();
    assert!(opens(first, &new).await && !opens(&later.id, &new).await, "one is done");
    assert!(opens(first, &both).await && opens(&later.id, &both).await, "programs open all");
    let rest = faithctl_with(&system, &["rekey", "--json"], &both).await.json();
    assert_eq!((&rest["campuses"], &rest["unopened"]), (&json!(2), &json!([])));
    assert!(opens(first, &new).await && opens(&later.id, &new).await);
}
