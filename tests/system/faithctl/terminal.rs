//! What is seen on a terminal of 80 columns: tables that fit, with ids that can be copied, and prompts that say what
//! would be done where.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use harness::{Role, TestSystem};
use support::program::binary;

use super::campus_alone;

/// Runs `faithctl` on a terminal of 80 columns, with `typed` on its keyboard; answers what is seen there.
pub(super) fn on_a_terminal(system: &TestSystem, arguments: &[&str], typed: &str) -> String {
    let quoted: Vec<String> =
        arguments.iter().map(|argument| format!("'{}'", argument.replace('\'', r"'\''"))).collect();
    let faithctl = binary("faithctl").unwrap();
    let command = format!("stty rows 24 cols 80; exec {} {}", faithctl.display(), quoted.join(" "));
    let mut child = Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("TERM", "xterm")
        .envs(system.variables(Role::Admin))
        // What a log would say between the rows is another test's.
        .env("RUST_LOG", "off")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&output.stdout).replace('\r', "")
}

/// Rows with ids, names and sentences as long as they get.
const ROWS: &str = "
    UPDATE campuses SET name = 'GKBJ Kebon Jeruk Jakarta Barat', timezone = 'Asia/Jakarta';
    INSERT INTO webhook_logs (id, campus_id, event_id, event_type, member_id, payload, signature_valid,
                              received_at, status, error, attempts)
    SELECT gen_random_uuid(), campus_id, gen_random_uuid(), 'member.updated', gen_random_uuid(), '{}', true,
           now(), 'processed', 'GET /api/members/{id}: HTTP 403 (no permission, in JSON as from the core).', 3
    FROM sync_configs, generate_series(1, 2);
    INSERT INTO dead_letters (id, event_id, campus_id, event_type, member_id, cause, reason, attempts, dead_at,
                              envelope)
    SELECT id, event_id, campus_id, event_type, member_id, 'core_rejected_login', error, 3, now(),
           '{\"schema_version\": 1}'
    FROM webhook_logs;
    INSERT INTO sync_logs (id, campus_id, sync_type, status, members_fetched, candidates_held, members_undecided,
                           error_message, started_at, completed_at, duration_seconds)
    SELECT gen_random_uuid(), campus_id, 'reconciliation', 'error', 123456, 1234, 1234,
           'The core gave nothing for 10 s: GET /api/members/: HTTP 503 (server error).', now(), now(), 123.4
    FROM sync_configs";

#[tokio::test]
async fn tables_fit_80_columns_with_whole_ids_and_prompts_say_what_would_be_done_where() {
    let system = campus_alone().await;
    system.database.client().batch_execute(ROWS).await.unwrap();
    let ids = "SELECT id, event_id, member_id FROM webhook_logs";
    let logged = system.database.rows(ids, &[]).await;
    let runs = system.database.rows("SELECT id FROM sync_logs", &[]).await;
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let campus = system.campus.id.clone();
    let letters = [text(&logged[0]["id"]), text(&logged[0]["member_id"]), campus.clone()];
    for (arguments, whole) in [
        (&["campus", "list"][..], vec![campus.clone(), system.campus.core_church_id.clone()]),
        (
            &["deliveries", "list"],
            vec![text(&logged[0]["event_id"]), text(&logged[1]["member_id"])],
        ),
        (&["dead-letters", "list"], letters.to_vec()),
        (&["dead-letters", "groups"], vec![campus.clone()]),
        (&["runs", "list"], vec![text(&runs[0]["id"])]),
        (&["audit", "list"], vec![campus.clone()]),
        (&["status"], vec!["webhook-rejections".to_owned()]),
    ] {
        let seen = on_a_terminal(&system, arguments, "");
        for id in whole {
            let is_whole = seen.lines().any(|line| line.contains(&id));
            assert!(is_whole, "{arguments:?}: {id} is not whole:\n{seen}");
        }
        // Sentences below or above a table are the terminal's to break.
        let has_sentences = arguments == ["status"] || arguments == ["dead-letters", "groups"];
        let table = seen.lines().filter(|line| !has_sentences || !line.starts_with("  "));
        for line in table {
            assert!(line.chars().count() <= 80, "{arguments:?}: {line:?} is too long:\n{seen}");
        }
    }

    let database = system.database.url();
    let name = database.rsplit('/').next().unwrap().split('?').next().unwrap();
    for (arguments, action) in [
        (
            &["replay"][..],
            "Replay 2 dead letters of campus GKBJ Kebon Jeruk Jakarta Barat, in database ",
        ),
        (
            &["discard", "--note", "x"],
            "Discard 2 dead letters of campus GKBJ Kebon Jeruk Jakarta Barat, in database ",
        ),
    ] {
        let seen = on_a_terminal(&system, &[&["dead-letters"], arguments].concat(), "n\n");
        let is_asked =
            seen.contains(action) && seen.contains(&format!("in database {name} on 127.0.0.1"));
        assert!(is_asked, "{seen}");
        assert!(seen.contains("nothing was changed"), "{seen}");
    }
}
