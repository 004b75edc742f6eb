//! A list says why it is empty, how it goes on, and what it does not know.

use harness::TestSystem;

use super::campus_alone;

const EACH: [(&str, &str); 3] = [
    ("deliveries", "no delivery matches"),
    ("dead-letters", "no dead letter matches"),
    ("runs", "no run matches"),
];

/// Three rows of each, the newest with the highest number.
const THREE: &str = "
    INSERT INTO webhook_logs (id, campus_id, event_id, event_type, payload, signature_valid, received_at, status, attempts)
        SELECT lpad(i::text, 32, '0')::uuid, campus_id, 'event-' || i, 'test', '{}', true, now() - interval '1 hour' / i,
               (ARRAY['dead', 'processed', 'discarded'])[i], 1
        FROM sync_configs, generate_series(1, 3) AS i;
    INSERT INTO dead_letters (id, event_id, campus_id, event_type, cause, reason, attempts, dead_at, received_at, envelope,
                              status, replayed_at)
        SELECT id, event_id, campus_id, event_type, CASE status WHEN 'dead' THEN 'database' ELSE 'poison' END, 'No.', 1,
               received_at, received_at, '{}',
               (ARRAY['open', 'replaying', 'discarded'])[substr(event_id, 7)::integer],
               CASE status WHEN 'processed' THEN now() - interval '2 hours' END
        FROM webhook_logs;
    INSERT INTO sync_logs (id, campus_id, sync_type, status, started_at)
        SELECT id, campus_id, 'manual', 'success', received_at FROM webhook_logs";

fn id(number: u32) -> String {
    format!("00000000-0000-0000-0000-{number:012}")
}

/// The numbers of the rows that a list shows.
async fn numbers(system: &TestSystem, list: &str) -> String {
    let arguments: Vec<&str> = list.split(' ').chain(["--json"]).collect();
    let rows = system.faithctl(&arguments).await.json();
    let number = |row: &serde_json::Value| {
        row["id"].as_str().unwrap().trim_start_matches(['0', '-']).to_owned()
    };
    rows.as_array().unwrap().iter().map(number).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_list_says_that_it_is_empty_and_how_it_goes_on() {
    let system = campus_alone().await;
    let run = async |table: &str, more: &[&str]| {
        system.faithctl(&[&[table, "list"], more].concat()).await
    };
    for (table, nothing) in EACH {
        let empty = run(table, &[]).await;
        assert_eq!((empty.code, empty.stdout.as_str()), (Some(0), ""), "{empty:?}");
        assert!(empty.stderr.contains(nothing), "{empty:?}");
        let unknown = run(table, &["--after", &id(2)]).await;
        assert_eq!(unknown.code, Some(1), "{unknown:?}");
        assert!(unknown.stderr.contains("--after: there is no"), "{unknown:?}");
    }
    system.database.client().batch_execute(THREE).await.unwrap();
    for (table, nothing) in EACH {
        assert_eq!(numbers(&system, &format!("{table} list")).await, "3 2 1");
        let first = run(table, &["--limit", "2"]).await;
        let hint = format!("only the last 2 are shown; the next ones: --after {}", id(2));
        assert!(first.stderr.contains(&hint), "{first:?}");
        let list = format!("{table} list --after {}", id(2));
        assert_eq!(numbers(&system, &list).await, "1");
        let rest = run(table, &["--after", &id(2)]).await;
        assert!(!rest.stderr.contains("--after"), "{rest:?}");
        let end = run(table, &["--after", &id(1)]).await;
        assert!(end.code == Some(0) && end.stderr.contains(nothing), "{end:?}");
        assert_eq!(run(table, &["--after", "x"]).await.code, Some(2));
    }
}

#[tokio::test]
async fn deliveries_are_found_by_statuses_and_causes_and_letters_by_how_long_they_are_on_their_way()
{
    let system = campus_alone().await;
    system.database.client().batch_execute(THREE).await.unwrap();
    for (list, expected) in [
        ("deliveries list --status dead,discarded", "3 1"),
        ("deliveries list --status dead --status processed", "2 1"),
        ("deliveries list --cause poison", "3 2"),
        ("deliveries list --cause poison --status processed,dead", "2"),
        ("deliveries list --cause core_forbidden", ""),
        ("deliveries list --until 25m", "2 1"),
        ("deliveries list --since 45m --until 25m", "2"),
        // It died half an hour ago, and was sent again two hours ago, if that could be.
        ("dead-letters list --status replaying --until 1h", "2"),
        ("dead-letters list --status replaying --since 1h", ""),
        ("dead-letters list --status open --until 50m", "1"),
    ] {
        assert_eq!(numbers(&system, list).await, expected, "{list}");
    }
    let wrong = system.faithctl(&["deliveries", "list", "--status", "dead,nope"]).await;
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    let wrong = system.faithctl(&["deliveries", "list", "--cause", "bad_luck"]).await;
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
}
