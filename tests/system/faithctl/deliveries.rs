//! `faithctl deliveries`.

use harness::TestSystem;
use serde_json::Value;

use super::{assert_failed, campus_alone};

/// Five deliveries a minute apart, the last one an hour old, each of another status.
const DELIVERIES: &str = "
    INSERT INTO webhook_logs (id, campus_id, event_id, event_type, member_id, payload, signature_valid,
                              received_at, status, message, attempts, processed_at)
    SELECT gen_random_uuid(), campus_id, 'event-' || i, 'member.updated', 'member-' || i % 2, '{}', true,
           CASE i WHEN 5 THEN now() - interval '1 hour' ELSE now() - i * interval '1 minute' END,
           (ARRAY['processed', 'filtered', 'retrying', 'dead', 'duplicate'])[i], 'message ' || i, i, now()
    FROM sync_configs, generate_series(1, 5) i";

async fn with_deliveries() -> TestSystem {
    let system = campus_alone().await;
    system.database.client().batch_execute(DELIVERIES).await.unwrap();
    system
}

fn events(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|row| row["event_id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_newest_come_first_and_filters_narrow() {
    let system = with_deliveries().await;
    let list = async |more: &[&str]| {
        let arguments = [&["deliveries", "list", "--json"], more].concat();
        let list = system.faithctl(&arguments).await.json();
        events(&list).join(" ")
    };
    let id = system.campus.id.as_str();
    assert_eq!(list(&[]).await, "event-1 event-2 event-3 event-4 event-5");
    assert_eq!(list(&["--limit", "2"]).await, "event-1 event-2");
    assert_eq!(list(&["--since", "30m"]).await, "event-1 event-2 event-3 event-4");
    assert_eq!(list(&["--status", "dead"]).await, "event-4");
    assert_eq!(list(&["--status", "dead,dead"]).await, "event-4");
    assert_eq!(list(&["--member", "member-1"]).await, "event-1 event-3 event-5");
    assert_eq!(
        list(&["--event-type", "member.updated", "--campus", id, "--limit", "1"]).await,
        "event-1"
    );

    let nothing = system.faithctl(&["deliveries", "list", "--json", "--status", "stale"]).await;
    assert_eq!((nothing.code, nothing.stdout.trim()), (Some(0), "[]"), "{nothing:?}");
    let nothing = system.faithctl(&["deliveries", "list", "--status", "stale"]).await;
    assert_eq!((nothing.code, nothing.stdout.as_str()), (Some(0), ""), "{nothing:?}");
    assert!(nothing.stderr.contains("no delivery matches"), "{nothing:?}");
    for wrong in [&["--status", "nope"][..], &["--since", "yesterday"], &["--limit", "0"]] {
        let arguments = [&["deliveries", "list"], wrong].concat();
        assert_eq!(system.faithctl(&arguments).await.code, Some(2), "{wrong:?}");
    }
}

#[tokio::test]
async fn rows_have_the_columns_of_the_table_as_keys() {
    let system = with_deliveries().await;
    let list = system.faithctl(&["deliveries", "list", "--json", "--limit", "1"]).await.json();
    for column in [
        "id",
        "campus_id",
        "event_id",
        "event_type",
        "member_id",
        "payload",
        "signature_valid",
        "received_at",
        "status",
        "message",
        "error",
        "attempts",
        "processed_at",
    ] {
        assert!(list[0].as_object().unwrap().contains_key(column), "{column} is missing: {list}");
    }
    let table = system.faithctl(&["deliveries", "list"]).await.success();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 6, "into a pipe, a row is a line: {table}");
    assert!(lines[0].starts_with("received_at") && lines[1].contains("message 1"), "{table}");
}

#[tokio::test]
async fn an_event_is_shown_with_all_its_deliveries_and_its_dead_letter() {
    let system = with_deliveries().await;
    let letter = "INSERT INTO dead_letters (id, event_id, cause, reason, attempts, envelope)
         SELECT id, event_id, 'member_not_found', 'The core knows no such member.', 4, '{}'
         FROM webhook_logs WHERE event_id = 'event-4'";
    let duplicate = "UPDATE webhook_logs SET event_id = 'event-4' WHERE event_id = 'event-5'";
    system.database.client().batch_execute(letter).await.unwrap();
    system.database.client().batch_execute(duplicate).await.unwrap();

    let shown = system.faithctl(&["deliveries", "show", "event-4", "--json"]).await.json();
    assert_eq!((&shown["status"], &shown["event_id"]), (&"dead".into(), &"event-4".into()));
    assert_eq!(events(&shown["deliveries"]), ["event-4", "event-4"]);
    assert_eq!(shown["deliveries"][1]["status"], "duplicate");
    let sheet = system.faithctl(&["deliveries", "show", "event-4"]).await.success();
    assert!(sheet.contains("The core knows no such member. (member_not_found)"), "{sheet}");
    assert_failed(
        &system.faithctl(&["deliveries", "show", "nope"]).await,
        1,
        "no delivery of event",
    );
}

#[tokio::test]
async fn what_a_sender_wrote_is_shown_as_it_is() {
    let system = with_deliveries().await;
    // One that clears the screen, and one that turns around what follows it.
    let evil =
        r"UPDATE webhook_logs SET event_type = E'evil\x1b[2J\u202Elive' WHERE event_id = 'event-1'";
    system.database.client().batch_execute(evil).await.unwrap();
    for arguments in [&["deliveries", "list"][..], &["deliveries", "show", "event-1"]] {
        let said = system.faithctl(arguments).await.success();
        assert!(!said.contains(['\u{1b}', '\u{202e}']), "{said}");
        assert!(said.contains(r"evil\u{1b}[2J\u{202e}live"), "{said}");
    }
    let json = system.faithctl(&["deliveries", "list", "--json"]).await.success();
    assert!(!json.contains(['\u{1b}', '\u{202e}']), "{json}");
    let rows: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(rows[0]["event_type"], "evil\u{1b}[2J\u{202e}live");
}
