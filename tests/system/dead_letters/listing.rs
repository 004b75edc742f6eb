//! `groups`, `list`, `export`, `show`: what there is.

use harness::TestSystem;
use serde_json::{Value, json};

use super::mailbox::Mailbox;

/// The columns of the table, which are the keys of every listing's objects.
const COLUMNS: [&str; 17] = [
    "id",
    "event_id",
    "campus_id",
    "event_type",
    "member_id",
    "cause",
    "reason",
    "attempts",
    "first_failed_at",
    "dead_at",
    "envelope",
    "trace_id",
    "status",
    "replay_count",
    "replayed_at",
    "resolved_at",
    "note",
];

/// Twelve letters: of three causes, two types, every status, and one that holds no event.
async fn with_letters() -> TestSystem {
    let system = TestSystem::builder().gateways(0).workers(0).spawn().await;
    Mailbox { system: &system }.fill(11).await;
    Mailbox { system: &system }.fill_unreadable().await;
    let variety = "
        UPDATE dead_letters SET cause = 'core_unavailable', event_type = 'member.created'
            WHERE event_id IN ('event-1', 'event-2', 'event-3');
        UPDATE dead_letters SET cause = 'core_unavailable' WHERE event_id IN ('event-4', 'event-5');
        UPDATE dead_letters SET status = 'replaying', replay_count = 1 WHERE event_id = 'event-9';
        UPDATE dead_letters SET status = 'resolved' WHERE event_id = 'event-10';
        UPDATE dead_letters SET status = 'discarded', note = 'no use' WHERE event_id = 'event-11';
        UPDATE dead_letters SET dead_at = now() - interval '3 days' WHERE event_id = 'event-1';";
    system.database.client().batch_execute(variety).await.unwrap();
    system
}

/// The events of a listing, shortened to their numbers.
fn events(letters: &[Value]) -> String {
    let number = |letter: &Value| match letter["event_id"].as_str() {
        Some(event) => event.trim_start_matches("event-").to_owned(),
        None => "none".to_owned(),
    };
    letters.iter().map(number).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn open_letters_are_grouped_by_cause_type_and_campus_the_largest_group_first() {
    let system = with_letters().await;
    let mailbox = Mailbox { system: &system };
    let groups = mailbox.run(&["groups", "--json"]).await.json();
    let brief: Vec<Value> = groups
        .as_array()
        .unwrap()
        .iter()
        .map(|group| json!([group["cause"], group["event_type"], group["count"]]))
        .collect();
    let expected = [
        // Of two as large, the one that began earlier.
        json!(["core_unavailable", "member.created", 3]),
        json!(["member_not_found", "member.updated", 3]),
        json!(["core_unavailable", "member.updated", 2]),
        json!(["invalid_event", null, 1]),
    ];
    assert_eq!(brief, expected, "{groups}");
    let group = &groups[0];
    assert_eq!(group["campus_id"], system.campus.id.as_str());
    assert!(group["campus_name"].as_str().is_some_and(|name| !name.is_empty()), "{group}");
    assert!(group["oldest"].as_str() < group["newest"].as_str(), "{group}");
    assert_eq!(groups[3]["campus_id"], Value::Null);

    let other = mailbox.run(&["groups", "--status", "replaying", "--json"]).await.json();
    assert_eq!((&other[0]["count"], &other[0]["replayed"]), (&json!(1), &json!(1)));
    let table = mailbox.run(&["groups"]).await.success();
    let lines: Vec<&str> = table.lines().collect();
    assert!(
        lines.len() == 5 && lines[0].starts_with("count") && lines[1].starts_with('3'),
        "{table}"
    );
}

#[tokio::test]
async fn filters_narrow_every_listing() {
    let system = with_letters().await;
    let mailbox = Mailbox { system: &system };
    let list = async |filters: &[&str]| {
        let listed = mailbox.run(&[&["list", "--json"], filters].concat()).await.json();
        let exported = mailbox.run(&[&["export"], filters].concat()).await.success();
        let exported: Vec<Value> =
            exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut listed = listed.as_array().unwrap().clone();
        if !filters.contains(&"--limit") {
            listed.reverse();
            assert_eq!(listed, exported, "{filters:?}");
        }
        events(&exported)
    };
    let id = system.campus.id.as_str();
    // Every status, those that died first first.
    assert_eq!(list(&[]).await, "1 none 2 3 4 5 6 7 8 9 10 11");
    assert_eq!(list(&["--status", "open"]).await, "1 none 2 3 4 5 6 7 8");
    assert_eq!(list(&["--status", "discarded"]).await, "11");
    assert_eq!(list(&["--cause", "core_unavailable"]).await, "1 2 3 4 5");
    assert_eq!(
        list(&["--cause", "core_unavailable", "--event-type", "member.updated"]).await,
        "4 5"
    );
    assert_eq!(list(&["--campus", id, "--member", "member-7"]).await, "7");
    assert_eq!(list(&["--since", "90m", "--cause", "core_unavailable"]).await, "2 3 4 5");
    assert_eq!(list(&["--until", "1d"]).await, "1");
    assert_eq!(list(&["--since", "1d", "--until", "90m"]).await, "none");
    assert_eq!(list(&["--limit", "2"]).await, "1 none");
    let newest = mailbox.run(&["list", "--json", "--limit", "2"]).await;
    assert!(newest.stderr.contains("only the last 2 are shown"), "{newest:?}");
    assert_eq!(events(newest.json().as_array().unwrap()), "11 10");

    for verb in ["groups", "list", "export", "replay", "discard"] {
        let tail: &[&str] = match verb {
            "replay" => &["--dry-run"],
            "discard" => &["--dry-run", "--note", "x"],
            _ => &[],
        };
        let nothing = mailbox.run(&[&[verb, "--member", "nobody"], tail].concat()).await;
        // An empty list is an answer; nothing to act on is not.
        let code = i32::from(["replay", "discard"].contains(&verb));
        assert_eq!((nothing.code, nothing.stdout.trim()), (Some(code), ""), "{nothing:?}");
        assert!(nothing.stderr.contains("match"), "{nothing:?}");
        for wrong in [&["--cause", "bad_luck"][..], &["--since", "yesterday"], &["--limit", "0"]] {
            let refused = mailbox.run(&[&[verb], wrong, tail].concat()).await;
            assert_eq!(refused.code, Some(2), "{refused:?}");
        }
    }
    let nothing = mailbox.run(&["list", "--json", "--member", "nobody"]).await;
    assert_eq!((nothing.code, nothing.stdout.trim()), (Some(0), "[]"));
}

#[tokio::test]
async fn objects_have_the_columns_of_the_table_as_keys() {
    let system = with_letters().await;
    let mailbox = Mailbox { system: &system };
    let list = mailbox.run(&["list", "--json", "--member", "member-11"]).await.json();
    let id = list[0]["id"].as_str().unwrap();
    let shown = mailbox.run(&["show", id, "--json"]).await.json();
    assert_eq!(list[0], shown);
    for column in COLUMNS {
        assert!(shown.as_object().unwrap().contains_key(column), "{column} is missing: {shown}");
    }
    assert_eq!((&shown["note"], &shown["status"]), (&json!("no use"), &json!("discarded")));
    assert_eq!(shown["envelope"]["delivery_id"], id);
    let sheet = mailbox.run(&["show", id]).await.success();
    assert!(sheet.contains("The core knows no such member."), "{sheet}");
    let table = mailbox.run(&["list"]).await.success();
    assert_eq!(table.lines().count(), 13, "into a pipe, a row is a line: {table}");

    let nobody = mailbox.run(&["show", "00000000-0000-0000-0000-000000000000"]).await;
    assert_eq!(nobody.code, Some(1), "{nobody:?}");
    assert_eq!(mailbox.run(&["show", "event-1"]).await.code, Some(2));
}
