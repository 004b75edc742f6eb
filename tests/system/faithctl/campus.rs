//! `faithctl campus add`, `list`, `show`, `enable`, `disable`, `set`.

use core_sim::Options;
use harness::{TestSystem, WEBHOOK_PATH};
use serde_json::{Value, json};

use super::{assert_failed, campus_alone, faithctl_with};

const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

/// `campus add` for a church of the simulated core, with more arguments.
async fn add(system: &TestSystem, church: &str, more: &[&str]) -> harness::Finished {
    let url = system.core.base_url();
    let mut arguments = vec!["campus", "add", "--name", "Second", "--core-church-id", church];
    arguments.extend(["--api-base-url", &url, "--api-email", "sync@example.org"]);
    arguments.push("--api-password-stdin");
    arguments.extend(more);
    system.faithctl_with_input(&arguments, b"a password\n").await
}

#[tokio::test]
async fn an_added_campus_is_enabled_with_a_secret_of_32_url_safe_characters() {
    let system = campus_alone().await;
    let campus = &system.campus;
    assert_eq!(campus.webhook_path, WEBHOOK_PATH);
    assert_eq!(campus.secret.len(), 32);
    assert!(campus.secret.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_".contains(&c)));

    let added = add(&system, "church-2", &["--json"]).await.json();
    let mut keys: Vec<&str> = added.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["campus_id", "webhook_path", "webhook_secret"]);

    let shown = system.faithctl(&["campus", "show", &campus.id, "--json"]).await.json();
    let expected = json!({
        "campus_id": campus.id, "core_church_id": campus.core_church_id, "is_enabled": true,
        "timezone": "UTC", "api_path_prefix": "/api", "api_login_path": "/auth/login",
        "api_members_path": "/members/", "filter_mode": "include", "filter_rules": [],
        "rate_limit": null, "reconciliation_enabled": true, "reconciliation_time": "03:00",
        "reconcile_every": null,
        "archive_limit": 5, "default_country": "ID", "last_sync_at": null,
        "webhook_path": WEBHOOK_PATH, "previous_secret_expires_at": null,
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&shown[key], value, "{key}");
    }
}

#[tokio::test]
async fn a_church_that_is_not_named_is_found_by_logging_in() {
    let system = campus_alone().await;
    let church = Options::default().churches.remove(1);
    let url = system.core.base_url();
    let add = async |email: &str, password: &str| {
        let arguments =
            ["campus", "add", "--name", "Second", "--api-base-url", &url, "--api-email"];
        let arguments = [&arguments[..], &[email, "--api-password-stdin", "--json"]].concat();
        system.faithctl_with_input(&arguments, password.as_bytes()).await
    };
    let refused = add(&church.email, "wrong").await;
    assert_failed(&refused, 1, "cannot ask the core for the church of its account");
    let added = add(&church.email, &church.password).await;
    assert!(added.stderr.contains(&church.id), "{added:?}");
    let id = added.json()["campus_id"].clone();
    let shown = system.faithctl(&["campus", "show", id.as_str().unwrap(), "--json"]).await.json();
    assert_eq!(shown["core_church_id"], church.id);
}

#[tokio::test]
async fn people_are_shown_the_whole_webhook_url_where_it_is_known() {
    let system = campus_alone().await;
    let id = &system.campus.id;
    let public = [("PUBLIC_URL", "https://faithtracker.example.org/")];
    let shown = faithctl_with(&system, &["campus", "show", id], &public).await.success();
    assert!(shown.contains("https://faithtracker.example.org/api/sync/webhook"), "{shown}");
    let added = add(&system, "church-2", &[]).await.success();
    assert!(added.contains("webhook URL     /api/sync/webhook\nwebhook secret  "), "{added}");
    let wrong = faithctl_with(&system, &["campus", "show", id], &[("PUBLIC_URL", "x")]).await;
    assert_failed(&wrong, 2, "PUBLIC_URL: is not an http(s) URL; expected ");
}

#[tokio::test]
async fn a_secret_may_be_given_and_a_campus_may_begin_disabled() {
    let system = campus_alone().await;
    let file = system.folder().path().join("secret");
    std::fs::write(&file, "Geheim, très long, with spaces and 李\n").unwrap();
    let file = file.to_str().unwrap();
    let more = ["--json", "--disabled", "--secret-file", file, "--timezone", "Asia/Jakarta"];
    let added = add(&system, "church-2", &more).await.json();
    assert_eq!(added["webhook_secret"], "Geheim, très long, with spaces and 李");
    let id = added["campus_id"].as_str().unwrap();
    let shown = system.faithctl(&["campus", "show", id, "--json"]).await.json();
    assert_eq!((&shown["is_enabled"], &shown["timezone"]), (&json!(false), &json!("Asia/Jakarta")));
    std::fs::write(file, "\n").unwrap();
    assert_failed(&add(&system, "church-3", &more).await, 2, "the file is empty");
}

#[tokio::test]
async fn a_campus_that_faithtracker_has_gets_a_configuration_and_keeps_its_name() {
    let system = campus_alone().await;
    let id = "11111111-1111-4111-8111-111111111111";
    let insert = format!(
        "INSERT INTO campuses (id, name, timezone) VALUES ('{id}', 'Theirs', 'Asia/Makassar')"
    );
    system.database.client().batch_execute(&insert).await.unwrap();
    let unsynced = system.faithctl(&["campus", "show", id]).await;
    assert_failed(&unsynced, 1, "is not synced yet");
    let added = add(&system, "church-2", &["--id", id, "--json"]).await;
    assert!(added.stderr.contains("kept its name (Theirs)"), "{added:?}");
    assert_eq!(added.json()["campus_id"], id);
    let shown = system.faithctl(&["campus", "show", id, "--json"]).await.json();
    assert_eq!((&shown["name"], &shown["timezone"]), (&json!("Theirs"), &json!("Asia/Makassar")));
    let again = add(&system, "church-3", &["--id", id]).await;
    assert_failed(&again, 1, "is synced already");
}

#[tokio::test]
async fn a_church_belongs_to_one_campus_and_its_id_is_nobody_elses() {
    let system = campus_alone().await;
    let campus = &system.campus;
    let twice = add(&system, &campus.core_church_id, &[]).await;
    assert_failed(&twice, 1, &format!("belongs to campus {}", campus.id));
    let ambiguous = add(&system, &campus.id, &[]).await;
    assert_failed(&ambiguous, 1, "is the id of another campus");
    assert_eq!(
        system.faithctl(&["campus", "list", "--json"]).await.json().as_array().unwrap().len(),
        1
    );
}

#[tokio::test]
async fn what_makes_no_sense_is_bad_usage_and_saves_nothing() {
    let system = campus_alone().await;
    for more in [
        &["--timezone", "Jakarta"][..],
        &["--default-country", "XX"],
        &["--id", "not-a-uuid"],
        &["--api-path-prefix", "/../x"],
        &["--no-such-flag"],
    ] {
        assert_eq!(add(&system, "church-2", more).await.code, Some(2), "{more:?}");
    }
    for url in ["ftp://x.org", "http://core.example.org", "https://10.0.0.1", "nonsense"] {
        let id = &system.campus.id;
        let finished = system.faithctl(&["campus", "set", id, "--api-base-url", url]).await;
        assert_eq!(finished.code, Some(2), "{url}: {finished:?}");
    }
    let campuses = system.faithctl(&["campus", "list", "--json"]).await.json();
    assert_eq!(campuses.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn set_changes_what_it_names_and_nothing_else() {
    let system = campus_alone().await;
    let id = system.campus.id.as_str();
    let show = async || system.faithctl(&["campus", "show", id, "--json"]).await.json();
    let before = show().await;
    let arguments = [
        "campus",
        "set",
        id,
        "--name",
        "Renamed",
        "--timezone",
        "Asia/Singapore",
        "--rate-limit",
        "50/s",
        "--reconciliation",
        "off",
        "--reconciliation-time",
        "04:30",
        "--reconcile-every",
        "90m",
        "--archive-limit",
        "7",
        "--default-country",
        "sg",
    ];
    system.faithctl(&arguments).await.success();
    let mut expected = before.clone();
    let changes = json!({
        "name": "Renamed", "timezone": "Asia/Singapore", "rate_limit": 50,
        "reconciliation_enabled": false, "reconciliation_time": "04:30", "reconcile_every": "90m",
        "archive_limit": 7,
        "default_country": "SG",
    });
    for (key, value) in changes.as_object().unwrap() {
        expected[key] = value.clone();
    }
    let after = show().await;
    assert_eq!(without_stamps(&after), without_stamps(&expected));
    assert!(after["version"].as_i64() > before["version"].as_i64());

    let off = ["campus", "set", id, "--rate-limit", "off", "--reconcile-every", "off"];
    system.faithctl(&off).await.success();
    let after = show().await;
    assert_eq!((&after["rate_limit"], &after["reconcile_every"]), (&Value::Null, &Value::Null));
    assert_failed(&system.faithctl(&["campus", "set", id]).await, 2, "nothing to change");
    assert_failed(&system.faithctl(&["campus", "set", UNKNOWN, "--name", "x"]).await, 1, UNKNOWN);
}

fn without_stamps(campus: &Value) -> Value {
    let mut campus = campus.clone();
    for key in ["version", "updated_at"] {
        campus.as_object_mut().unwrap().remove(key);
    }
    campus
}

#[tokio::test]
async fn another_core_or_account_forgets_the_token() {
    let system = campus_alone().await;
    let id = system.campus.id.as_str();
    let insert = "INSERT INTO core_tokens (campus_id, token_sealed, version, not_before)
         SELECT campus_id, 'x', 3, now() FROM sync_configs";
    system.database.client().batch_execute(insert).await.unwrap();
    let token = async || {
        system.database.rows("SELECT token_sealed, version, not_before FROM core_tokens", &[]).await
    };
    system.faithctl(&["campus", "set", id, "--rate-limit", "5/s"]).await.success();
    assert_eq!(token().await[0]["version"], 3, "a change of something else keeps it");
    let set = ["campus", "set", id, "--api-password-stdin"];
    system.faithctl_with_input(&set, b"another\n").await.success();
    assert_eq!(token().await, [json!({"token_sealed": null, "version": 4, "not_before": null})]);
    for change in [["--api-email", "b@x.org"], ["--api-path-prefix", "/v2"]] {
        let version = token().await[0]["version"].as_i64().unwrap();
        system.faithctl(&["campus", "set", id, change[0], change[1]]).await.success();
        assert_eq!(token().await[0]["version"], version + 1, "{change:?}");
    }
}

#[tokio::test]
async fn a_campus_is_disabled_and_enabled() {
    let system = campus_alone().await;
    let id = system.campus.id.as_str();
    for (verb, enabled) in [("disable", false), ("enable", true), ("enable", true)] {
        system.faithctl(&["campus", verb, id]).await.success();
        let campuses = system.faithctl(&["campus", "list", "--json"]).await.json();
        assert_eq!(campuses[0]["is_enabled"], enabled);
        assert_eq!(campuses[0]["campus_id"], id);
    }
    for verb in ["enable", "disable", "show", "clear-filter"] {
        assert_failed(
            &system.faithctl(&["campus", verb, UNKNOWN]).await,
            1,
            "no campus has the id",
        );
        let finished = system.faithctl(&["campus", verb, "x"]).await;
        assert_failed(&finished, 1, "no campus is named \"x\"");
    }
}
