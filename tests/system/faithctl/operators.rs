//! Who may use the console, as the command line says it.

use harness::TestSystem;
use serde_json::{Value, json};
use store::operators::Token;

use super::{assert_failed, campus_alone, faithctl_with};

async fn audited(system: &TestSystem) -> Vec<Value> {
    let query = "SELECT action, subject, result, via FROM operator_log WHERE action LIKE 'operator %' OR action = 'console login' ORDER BY at";
    system.database.rows(query, &[]).await
}

/// The token of a link, as its owner has it.
fn token(link: &str) -> Token {
    Token::parse(link.trim().rsplit('/').next().unwrap()).unwrap()
}

#[tokio::test]
async fn an_operator_is_added_listed_disabled_and_enabled_and_the_audit_says_so() {
    let system = campus_alone().await;
    let url = [("CONSOLE_URL", "https://console.example.org")];
    let add =
        ["operator", "add", "Ani@GKBJ.example", "--role", "office", "--campus", &system.campus.id];
    let added = faithctl_with(&system, &add, &url).await;
    let link = added.success();
    assert!(link.starts_with("https://console.example.org/link/"), "{link}");
    let kept = system.database.rows("SELECT encode(token_sha256, 'hex') AS hash, expires_at - created_at = '24 h' AS day FROM operator_links", &[]).await;
    assert_eq!(kept, [json!({"hash": hex::encode(token(&link).hash()), "day": true})]);

    let listed = system.faithctl(&["operator", "list", "--json"]).await.json();
    assert_eq!(listed[0]["login"], "ani@gkbj.example");
    assert_eq!(
        (&listed[0]["role"], &listed[0]["campuses"]),
        (&json!("office"), &json!([system.campus.id]))
    );
    assert_eq!(listed[0]["has_password"], false);

    system.faithctl(&["operator", "disable", "ani@gkbj.example"]).await.success();
    let left = system.database.rows("SELECT FROM operator_links", &[]).await;
    assert_eq!(left.len(), 0, "an invitation of somebody who is disabled");
    let enabled = system.faithctl(&["operator", "enable", "ANI@gkbj.example"]).await.success();
    assert!(enabled.starts_with("http://127.0.0.1:") && enabled.contains("/link/"), "{enabled}");

    let login = faithctl_with(&system, &["console", "login", "--json"], &url).await.json();
    let kept = "SELECT operator_id, expires_at - created_at = '10 min' AS minutes FROM operator_links WHERE operator_id IS NULL";
    assert_eq!(
        system.database.rows(kept, &[]).await,
        [json!({"operator_id": null, "minutes": true})]
    );

    let entries = audited(&system).await;
    let actions: Vec<&str> =
        entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["operator add", "operator disable", "operator enable", "console login"]);
    assert_eq!(
        entries[0]["subject"],
        json!({"login": "ani@gkbj.example", "role": "office", "campuses": [system.campus.id]})
    );
    let everything = format!("{entries:?}");
    for link in [&link, &enabled, login["link"].as_str().unwrap()] {
        assert!(!everything.contains(token(link).reveal()), "a token is in the audit");
    }
}

#[tokio::test]
async fn what_makes_no_operator_is_refused_and_leaves_nothing() {
    let system = campus_alone().await;
    let other = "00000000-0000-4000-8000-000000000000";
    for (arguments, code, words) in [
        (&["add", "ani", "--role", "office"][..], 2, "an office is of a campus"),
        (&["add", "ani", "--role", "admin", "--campus", &system.campus.id], 2, "of all campuses"),
        (&["add", "a b", "--role", "viewer"], 2, "expected a login"),
        (&["add", "ani", "--role", "king"], 2, "king"),
        (&["add", "ani", "--role", "office", "--campus", other], 2, "there is no campus"),
        (&["disable", "nobody"], 1, "there is no operator"),
        (&["enable", "nobody"], 1, "there is no operator"),
    ] {
        let arguments: Vec<&str> =
            std::iter::once("operator").chain(arguments.iter().copied()).collect();
        assert_failed(&system.faithctl(&arguments).await, code, words);
    }
    assert_eq!(system.database.rows("SELECT FROM operators", &[]).await.len(), 0);
    let done = audited(&system).await.into_iter().filter(|entry| entry["result"] == "done");
    assert_eq!(done.count(), 0);
    system.faithctl(&["operator", "add", "ani", "--role", "viewer"]).await.success();
    assert_failed(
        &system.faithctl(&["operator", "add", "ANI", "--role", "viewer"]).await,
        1,
        "already",
    );
}
