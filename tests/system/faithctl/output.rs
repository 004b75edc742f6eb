//! In which form commands print, and how often.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use harness::{Role, TestSystem};
use serde_json::Value;
use support::program::binary;

use super::{campus_alone, terminal::on_a_terminal};

const DELIVERY: &str = "
    INSERT INTO webhook_logs (id, campus_id, event_id, event_type, payload, signature_valid, received_at, status, message,
                              attempts, trace_id)
    SELECT gen_random_uuid(), campus_id, 'event-1', 'test', '{}', true, now(), 'processed',
           'A sentence that is longer than a narrow window has room for beside everything else', 1, md5('trace')
    FROM sync_configs";

#[tokio::test]
async fn a_list_is_a_table_or_a_wide_one_or_json() {
    let system = campus_alone().await;
    system.database.client().batch_execute(DELIVERY).await.unwrap();
    let list = async |more: &[&str]| {
        system.faithctl(&[&["deliveries", "list"], more].concat()).await.success()
    };
    assert_eq!(list(&["--output", "json"]).await, list(&["--json"]).await);
    let table = list(&[]).await;
    assert_eq!(list(&["--output", "table"]).await, table);
    let wide = list(&["--output", "wide"]).await;
    assert_eq!(wide.lines().count(), 2, "a row a line: {wide}");
    assert!(wide.contains("trace_id") && !table.contains("trace_id"), "{wide}");
    // Also where the window is narrow.
    let seen = on_a_terminal(&system, &["deliveries", "list", "--output", "wide"], "");
    assert!(seen.lines().any(|line| line.contains("everything else")), "{seen}");
    for wrong in [&["--output", "yaml"][..], &["--json", "--output", "table"]] {
        let arguments = [&["deliveries", "list"], wrong].concat();
        assert_eq!(system.faithctl(&arguments).await.code, Some(2), "{wrong:?}");
    }
    // One thing takes it too.
    let shown = system.faithctl(&["campus", "show", &system.campus.id, "--output", "json"]).await;
    assert_eq!(shown.json()["id"], system.campus.id.as_str());
}

/// What a command has printed after some lines; then it is ended.
fn first_lines(system: &TestSystem, arguments: &[&str], number: usize) -> Vec<String> {
    let mut child = Command::new(binary("faithctl").unwrap())
        .args(arguments)
        .env_clear()
        .envs(system.variables(Role::Admin))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let lines = output.lines().take(number).map(Result::unwrap).collect();
    // Nobody reads it any more: it ends by itself.
    child.wait().unwrap();
    lines
}

#[tokio::test]
async fn the_status_is_shown_again_and_again_until_nobody_reads_it() {
    let system = campus_alone().await;
    let watch = ["status", "--watch", "100ms", "--output", "json"];
    for line in first_lines(&system, &watch, 3) {
        let status: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(status["campuses"][0]["campus_id"], system.campus.id.as_str());
    }
    let text = first_lines(&system, &["status", "--watch"], 2);
    assert_eq!(text[0], "Worth a look", "{text:?}");
    assert_eq!(system.faithctl(&["status", "--watch", "0s"]).await.code, Some(2));
}

#[tokio::test]
async fn nothing_is_coloured_where_nobody_wants_it() {
    let system = TestSystem::builder().variable_of(Role::Admin, "NO_COLOR", "1").spawn().await;
    for arguments in [&["doctor"][..], &["status"], &["deliveries", "list", "--limit", "0"]] {
        let seen = on_a_terminal(&system, arguments, "");
        assert!(!seen.is_empty() && !seen.contains('\u{1b}'), "{seen:?}");
    }
}
