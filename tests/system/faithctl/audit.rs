//! Who changed what: every change has its entry, and nobody takes one back.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use harness::{Role, TestSystem, eventually};
use serde_json::{Value, json};
use support::program::run_to_end;

use super::{campus_alone, faithctl_with};

const SOON: Duration = Duration::from_secs(20);

/// `insufficient_privilege`.
const REFUSED: &str = "42501";

/// What somebody might try who would rather not be known.
const CHEATS: &[&str] = &[
    "UPDATE operator_log SET who = 'nobody'",
    "UPDATE operator_log SET subject = '{}'",
    "DELETE FROM operator_log",
    "TRUNCATE operator_log",
    "ALTER TABLE operator_log DISABLE TRIGGER ALL",
    "ALTER TABLE operator_log DISABLE TRIGGER keep_rows",
    "DROP TRIGGER keep_rows ON operator_log",
    "DROP TABLE operator_log",
    "SET session_replication_role = replica",
    "SET faithtracker.operator_log = 'retention'; DELETE FROM operator_log",
    "SET faithtracker.operator_log = 'erasure'; UPDATE operator_log SET subject = '{}'",
    "INSERT INTO operator_log (at, who, via, action, result) VALUES ('2020-01-01', 'x', 'faithctl', 'x', 'done')",
    "INSERT INTO operator_log (role, who, via, action, result) VALUES ('x', 'x', 'faithctl', 'x', 'done')",
    "CREATE OR REPLACE FUNCTION keep_operator_log() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'",
    // No erasure is noted in the same transaction.
    "SELECT erase_from_operator_log(gen_random_uuid(), 'm-1')",
];

/// What the owner of the table is refused as well, as long as the triggers are there.
const OF_OWNER: usize = 4;

/// An entry of now, of three months ago, and of two years ago.
const ENTRIES: &str = "
    INSERT INTO operator_log (at, who, via, action, subject, result)
    SELECT now() - age * interval '1 day', 'somebody@somewhere', 'faithctl', 'campus set', '{\"member\": \"m-1\"}', 'done'
    FROM unnest(ARRAY[0, 90, 730]) AS age";

async fn entries(system: &TestSystem) -> Vec<Value> {
    let query = "SELECT at, who, subject FROM operator_log WHERE who = 'somebody@somewhere' ORDER BY at DESC";
    system.database.rows(query, &[]).await
}

#[tokio::test]
async fn no_role_can_change_or_delete_what_was_noted() {
    let system = campus_alone().await;
    system.database.client().batch_execute(ENTRIES).await.unwrap();
    let before = entries(&system).await;
    for role in Role::ALL {
        for cheat in CHEATS {
            let session = system.database.connect_as(role).await;
            let error = session.batch_execute(cheat).await.expect_err(cheat);
            let code = error.code().map(tokio_postgres::error::SqlState::code);
            assert_eq!(code, Some(REFUSED), "{role:?}: {cheat}: {error:?}");
        }
    }
    let owner = system.database.connect().await;
    for cheat in &CHEATS[..OF_OWNER] {
        let error = owner.batch_execute(cheat).await.expect_err(cheat);
        assert!(
            error.as_db_error().is_some_and(|error| error.message().contains("not changed")),
            "{error:?}"
        );
    }
    assert_eq!(entries(&system).await, before);

    // Even retention leaves the newest month.
    let reconciler = system.database.connect_as(Role::Reconciler).await;
    reconciler.batch_execute("SELECT forget_operator_log('0 s')").await.unwrap();
    assert_eq!(entries(&system).await, before[..1]);
}

#[tokio::test]
async fn entries_are_forgotten_after_their_retention() {
    let system = campus_alone().await;
    system.database.client().batch_execute(ENTRIES).await.unwrap();
    let before = entries(&system).await;
    system.reconcile(&["--once"]).await.success();
    assert_eq!(entries(&system).await, before[..2], "400 days");
    assert_eq!(before[0]["subject"], json!({"member": "m-1"}));
}

/// The commands that change something, by the program's own word.
fn changing_commands() -> BTreeSet<String> {
    let table = include_str!("../../../deploy/faithctl/src/commands.rs");
    let rows = table.lines().filter_map(|line| line.trim().strip_prefix("(\""));
    let changing = rows.filter_map(|row| row.split_once("\", Effect::Change)"));
    changing.map(|(name, _)| name.to_owned()).collect()
}

/// The newest entry of an action, once it is there.
async fn entry_of(system: &TestSystem, action: &str) -> Value {
    eventually(&format!("{action} is in the audit"), SOON, async || {
        let query =
            "SELECT * FROM operator_log WHERE action = $1 ORDER BY at DESC, id DESC LIMIT 1";
        system.database.rows(query, &[&action]).await.pop()
    })
    .await
}

/// Dead letters, and a delivery that was lost with its queue, of members that the core does not know.
const TO_ACT_ON: &str = "
    INSERT INTO dead_letters (id, event_id, campus_id, event_type, member_id, cause, reason, attempts, dead_at,
                              received_at, envelope)
    SELECT id, 'event-' || i, campus_id, 'member.updated', 'member-' || i, 'member_not_found', 'Why.', 1, now(), now(),
           jsonb_build_object('schema_version', 1, 'delivery_id', id, 'event_id', 'event-' || i, 'event_type', 'member.updated',
                              'campus_id', campus_id, 'member_id', 'member-' || i, 'received_at', now())
    FROM sync_configs, generate_series(1, 3) i, LATERAL (SELECT gen_random_uuid() AS id WHERE i > 0) new;
    INSERT INTO webhook_logs (id, campus_id, event_id, event_type, member_id, payload, signature_valid, received_at, status)
    SELECT gen_random_uuid(), campus_id, 'lost', 'member.updated', 'lost', '{}', true, now() - interval '1 hour', 'retrying'
    FROM sync_configs";

/// Every decision about an operation that nobody carries out, since no reconciler runs: it ends where it is stopped. Answers
/// the commands that were noted.
async fn decide_about_an_operation(system: &TestSystem) -> Vec<String> {
    let mut noted = Vec::new();
    let asked =
        system.faithctl(&["runs", "request", &system.campus.id, "--detach", "--json"]).await.json();
    let operation = asked["id"].as_str().unwrap();
    for decision in [&["pause"][..], &["resume"], &["set-rate", "5/s"], &["stop"]] {
        let arguments = [&["operations", decision[0], operation], &decision[1..]].concat();
        system.faithctl(&arguments).await.success();
        let action = format!("operations {}", decision[0]);
        let entry = entry_of(system, &action).await;
        assert_eq!(entry["result"], "done", "{entry}");
        assert!(entry.to_string().contains(operation), "{entry}");
        noted.push(action);
    }
    let entry = entry_of(system, "runs request").await;
    assert_eq!((&entry["result"], &entry["operation_id"]), (&json!("stopped"), &json!(operation)));
    noted.push("runs request".to_owned());
    noted
}

#[tokio::test]
async fn every_command_that_changes_something_is_in_the_audit() {
    let system = TestSystem::builder().gateways(0).spawn().await;
    let id = system.campus.id.as_str();
    let core = system.core_url();
    system.database.client().batch_execute(TO_ACT_ON).await.unwrap();
    let add = [
        "campus",
        "add",
        "--name",
        "Second",
        "--core-church-id",
        "second",
        "--api-base-url",
        &core,
        "--api-email",
        "sync@example.org",
        "--api-password-stdin",
        "--json",
    ];
    let filter = r#"[{"field": "gender", "operator": "equals", "value": "Female"}]"#;
    let set_filter = ["campus", "set-filter", id, "--mode", "include", "--rules", "-", "--force"];
    let set = ["campus", "set", id, "--rate-limit", "50/s", "--api-password-stdin"];
    let cases: [(&[&str], &str); 20] = [
        (&add, "hunter2-of-another"),
        (&set, "hunter2"),
        (&set_filter, filter),
        (&["campus", "clear-filter", id], ""),
        (&["campus", "pause", id], ""),
        (&["campus", "resume", id], ""),
        (&["campus", "disable", id], ""),
        (&["campus", "enable", id, "--force"], ""),
        (&["campus", "rotate-secret", id, "--json"], ""),
        (&["deliveries", "discard", "--note", "lost", "--yes"], ""),
        (&["dead-letters", "discard", "--member", "member-1", "--note", "left", "--yes"], ""),
        (&["dead-letters", "restore", "--member", "member-1", "--yes"], ""),
        (&["dead-letters", "replay", "--member", "member-2", "--yes"], ""),
        (&["members", "resync", "--campus", id, "--id", "member-9", "--yes"], ""),
        (&["erase", "--campus", id, "--member", "member-3", "--yes"], ""),
        (&["rekey"], ""),
        (&["operator", "add", "sari", "--role", "operator"], ""),
        (&["operator", "disable", "sari"], ""),
        (&["operator", "enable", "sari"], ""),
        (&["console", "login"], ""),
    ];
    let mut secrets = vec!["hunter2".to_owned()];
    let (mut noted, changing) = (BTreeSet::new(), changing_commands());
    for (arguments, input) in cases {
        let finished = system.faithctl_with_input(arguments, input.as_bytes()).await;
        let words = if changing.contains(arguments[0]) { 1 } else { 2 };
        let action = arguments[..words].join(" ");
        let entry = entry_of(&system, &action).await;
        assert_eq!(
            (&entry["result"], &entry["via"]),
            (&json!("done"), &json!("faithctl")),
            "{entry}"
        );
        assert!(entry["who"].as_str().is_some_and(|who| !who.is_empty()), "{entry}");
        let lines =
            finished.stderr.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let told = lines.filter(|line| line["target"] == "audit").collect::<Vec<_>>();
        if entry["operation_id"].is_null() {
            assert_eq!(entry["role"], "faith_admin", "{entry}");
            let is_told =
                |line: &Value| line["audit_id"] == entry["id"] && line["action"] == action;
            assert!(told.iter().any(is_told), "{finished:?}");
        }
        if let Ok(shown) = serde_json::from_str::<Value>(&finished.stdout) {
            secrets.extend(shown["webhook_secret"].as_str().map(ToOwned::to_owned));
        }
        finished.success();
        noted.insert(action);
    }
    noted.extend(decide_about_an_operation(&system).await);
    let owner = BTreeMap::from([("DATABASE_URL".to_owned(), system.database.url())]);
    run_to_end("faithctl", &["migrate", "--roles"], b"", owner).await.unwrap().success();
    assert_eq!(entry_of(&system, "migrate").await["subject"]["roles"], true);
    noted.insert("migrate".to_owned());
    assert_eq!(noted, changing, "a command that changes something has no case here");

    let changed = |entry: &Value| entry["subject"]["changed"].clone();
    let set = entry_of(&system, "campus set").await;
    let expected = json!({"rate_limit": {"old": null, "new": 50}, "api_password": "(another)"});
    assert_eq!((changed(&set), &set["campus_id"]), (expected, &json!(id)));
    let disabled = changed(&entry_of(&system, "campus disable").await);
    assert_eq!(disabled, json!({"is_enabled": {"old": true, "new": false}}));
    let added = changed(&entry_of(&system, "campus add").await);
    assert_eq!(added["name"], json!({"old": null, "new": "Second"}));

    let all = "SELECT coalesce(string_agg(row(o.*)::text, ' '), '') AS text FROM operator_log o";
    let all = &system.database.rows(all, &[]).await[0]["text"];
    assert_eq!(secrets.len(), 3, "{secrets:?}");
    for secret in secrets {
        assert!(!all.as_str().unwrap().contains(&secret), "{secret} is in the audit");
    }
}

#[tokio::test]
async fn what_is_refused_or_fails_is_in_the_audit_and_what_only_looks_is_not() {
    let system = campus_alone().await;
    let id = system.campus.id.as_str();
    let unknown = "11111111-2222-4333-8444-555555555555";
    let refused = ["erase", "--campus", id, "--member", "m-1"];
    assert_eq!(system.faithctl(&refused).await.code, Some(2));
    let entry = entry_of(&system, "erase").await;
    assert_eq!(entry["result"], "refused", "{entry}");
    assert!(!entry.to_string().contains("m-1"), "an erasure names nobody: {entry}");
    assert_eq!(
        system.faithctl(&["campus", "set", unknown, "--rate-limit", "5/s"]).await.code,
        Some(1)
    );
    let entry = entry_of(&system, "campus set").await;
    assert_eq!(
        (&entry["result"], &entry["campus_id"]),
        (&json!("failed"), &json!(unknown)),
        "{entry}"
    );
    assert_eq!(entry["subject"]["options"]["rate_limit"], "5/s", "{entry}");
    assert!(
        entry["subject"]["error"].as_str().is_some_and(|error| error.contains("no campus")),
        "{entry}"
    );

    let count = async || system.database.rows("SELECT FROM operator_log", &[]).await.len();
    let before = count().await;
    for looks in [
        &["campus", "list"][..],
        &["audit", "list"],
        &["deliveries", "discard", "--note", "x", "--dry-run"],
        &["erase", "--campus", id, "--member", "m-1", "--dry-run"],
    ] {
        system.faithctl(looks).await;
    }
    system.reconcile(&["--once", "--campus", id, "--dry-run"]).await;
    system.reconcile(&["--once"]).await.success();
    assert_eq!(count().await, before);
}

#[tokio::test]
async fn where_the_audit_cannot_be_written_nothing_is_changed() {
    let system = campus_alone().await;
    let id = system.campus.id.as_str();
    let client = system.database.client();
    client.batch_execute(TO_ACT_ON).await.unwrap();
    let take = "REVOKE ALL ON operator_log FROM faith_admin, faith_reconciler";
    client.batch_execute(take).await.unwrap();
    let state = async || {
        let query = "SELECT row(s.*)::text AS config, (SELECT count(*) FROM campuses) AS campuses,
                            (SELECT count(*) FROM sync_logs) AS runs,
                            (SELECT count(*) FROM dead_letters WHERE status = 'open') AS letters,
                            (SELECT count(*) FROM webhook_logs WHERE status = 'retrying') AS lost
                     FROM sync_configs s";
        system.database.rows(query, &[]).await
    };
    let before = state().await;
    let core = system.core_url();
    let add = [
        "campus",
        "add",
        "--name",
        "Second",
        "--core-church-id",
        "second",
        "--api-base-url",
        &core,
        "--api-email",
        "sync@example.org",
        "--api-password-stdin",
    ];
    for arguments in [
        &add[..],
        &["campus", "disable", id],
        &["campus", "pause", id],
        &["campus", "set", id, "--rate-limit", "50/s"],
        &["campus", "rotate-secret", id],
        &["campus", "clear-filter", id],
        &["erase", "--campus", id, "--member", "member-1", "--yes"],
        &["operations", "stop", id],
    ] {
        let finished = system.faithctl_with_input(arguments, b"password").await;
        assert_eq!(finished.code, Some(1), "{finished:?}");
        assert!(finished.stderr.contains("operator_log"), "{finished:?}");
    }
    let run = system.reconcile(&["--once", "--campus", id]).await;
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("the audit cannot be written"), "{run:?}");
    assert_eq!(state().await, before);
}

#[tokio::test]
async fn runs_that_somebody_asked_for_are_in_the_audit() {
    let system = campus_alone().await;
    let id = system.campus.id.as_str();
    system.reconcile(&["--once", "--campus", id]).await.success();
    let entry = entry_of(&system, "reconcile").await;
    let runs = system.database.rows("SELECT id FROM sync_logs", &[]).await;
    assert_eq!(
        (&entry["result"], &entry["via"]),
        (&json!("done"), &json!("reconciler")),
        "{entry}"
    );
    assert_eq!((&entry["role"], &entry["campus_id"]), (&json!("faith_reconciler"), &json!(id)));
    assert_eq!(
        (&entry["subject"]["run"], &entry["subject"]["status"]),
        (&runs[0]["id"], &json!("success"))
    );

    let allow = ["--once", "--campus", id, "--allow-archive", "99"];
    assert_eq!(system.reconcile(&allow).await.code, Some(1));
    let entry = entry_of(&system, "allow_archives").await;
    assert_eq!(
        (&entry["result"], &entry["subject"]["allow_archive"]),
        (&json!("refused"), &json!(99))
    );
}

#[tokio::test]
async fn entries_are_listed_by_whom_what_and_when_and_forget_who_was_erased() {
    let system = campus_alone().await;
    let id = system.campus.id.as_str();
    let client = system.database.client();
    client.batch_execute(TO_ACT_ON).await.unwrap();
    let somebody = [("SUDO_USER", "sari"), ("SSH_CLIENT", "10.1.2.3 50022 22")];
    faithctl_with(&system, &["campus", "pause", id], &somebody).await.success();
    faithctl_with(&system, &["campus", "resume", id], &[("USER", "budi")]).await.success();
    system
        .faithctl(&["dead-letters", "discard", "--member", "nobody", "--note", "x", "--yes"])
        .await;
    let list = async |more: &[&str]| -> Vec<Value> {
        let arguments = [&["audit", "list", "--json"], more].concat();
        let list = system.faithctl(&arguments).await.json();
        list.as_array().unwrap().clone()
    };
    let actions = |entries: &[Value]| -> Vec<String> {
        entries.iter().map(|entry| entry["action"].as_str().unwrap().to_owned()).collect()
    };
    let campus = list(&["--action", "campus", "--campus", id]).await;
    let actions_of_campus = actions(&campus);
    assert_eq!(actions_of_campus[..2], ["campus resume", "campus pause"], "{campus:?}");
    let sari = campus[1]["who"].as_str().unwrap();
    assert!(sari.starts_with("sari@") && campus[1]["address"] == "10.1.2.3", "{campus:?}");
    assert_eq!(actions(&list(&["--who", sari]).await), ["campus pause"]);
    assert_eq!(list(&["--limit", "1"]).await.len(), 1);
    assert_eq!(list(&["--until", "1h"]).await.len(), 0);
    assert_eq!(list(&["--since", "1h"]).await, list(&["--limit", "100"]).await);
    for column in [
        "id",
        "at",
        "who",
        "via",
        "role",
        "address",
        "action",
        "campus_id",
        "subject",
        "result",
        "operation_id",
    ] {
        assert!(campus[0].as_object().unwrap().contains_key(column), "{column}: {campus:?}");
    }

    // Somebody is asked for by the core's id, fails, and is erased.
    let entry = entry_of(&system, "dead-letters discard").await;
    assert_eq!(entry["subject"]["options"]["member"], "nobody", "{entry}");
    let erase = ["erase", "--campus", id, "--member", "nobody", "--yes", "--json"];
    let erased = system.faithctl(&erase).await.json();
    assert_eq!(erased["audit_entries"], 1, "{erased}");
    let entry = entry_of(&system, "dead-letters discard").await;
    assert_eq!(entry["subject"]["options"]["member"], "(erased)", "{entry}");
    let all = system.database.rows("SELECT subject FROM operator_log", &[]).await;
    assert!(!json!(all).to_string().contains("nobody"), "{all:?}");
}
