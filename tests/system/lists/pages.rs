//! Pages by key, while rows are added: each row that was there is shown once.

use std::collections::HashSet;

use harness::TestSystem;
use rand::RngExt;

use super::campus_alone;

/// Rows in the beginning.
const ROWS: i32 = 100;

/// Rows at random times of a week, several at one of them, in some statuses; `$1` is how many.
const DELIVERIES: &str = "
    INSERT INTO webhook_logs (id, campus_id, event_id, event_type, member_id, payload, signature_valid,
                              received_at, status, attempts)
    SELECT gen_random_uuid(), campus_id, gen_random_uuid()::text, 'member.updated', 'member-1', '{}', true,
           date_trunc('hour', now() - random() * interval '7 days'),
           (ARRAY['processed', 'dead', 'retrying', 'rejected'])[1 + i % 4], 1
    FROM sync_configs, generate_series(1, $1) AS i";

const LETTERS: &str = "
    INSERT INTO dead_letters (id, event_id, campus_id, event_type, member_id, cause, reason, attempts, dead_at,
                              received_at, envelope, status)
    SELECT gen_random_uuid(), gen_random_uuid()::text, campus_id, 'member.updated', 'member-1', 'wrong_church', 'No.', 1,
           date_trunc('hour', now() - random() * interval '1 day'), now(), '{}',
           (ARRAY['open', 'resolved', 'replaying', 'discarded'])[1 + i % 4]
    FROM sync_configs, generate_series(1, $1) AS i";

const RUNS: &str = "
    INSERT INTO sync_logs (campus_id, sync_type, status, started_at)
    SELECT campus_id, 'manual', 'success', date_trunc('hour', now() - random() * interval '1 day')
    FROM sync_configs, generate_series(1, $1) AS i";

/// A list, what fills it, and the ids that it shows from its first page to its last.
const LISTS: [(&str, &str, &str); 6] = [
    ("deliveries list", DELIVERIES, "SELECT id::text AS id FROM webhook_logs"),
    (
        "deliveries list --status dead,retrying",
        DELIVERIES,
        "SELECT id::text AS id FROM webhook_logs WHERE status IN ('dead', 'retrying')",
    ),
    (
        "deliveries list --status rejected --since 5d",
        DELIVERIES,
        "SELECT id::text AS id FROM webhook_logs
         WHERE status = 'rejected' AND received_at >= now() - interval '5 days'",
    ),
    ("dead-letters list", LETTERS, "SELECT id::text AS id FROM dead_letters"),
    (
        "dead-letters list --status open --cause wrong_church",
        LETTERS,
        "SELECT id::text AS id FROM dead_letters WHERE status = 'open'",
    ),
    ("runs list", RUNS, "SELECT id::text AS id FROM sync_logs"),
];

/// All ids that a list shows, a random number of them at a time; while each page is read, rows are added.
async fn every_page(system: &TestSystem, list: &str, add: &str) -> Vec<String> {
    let mut shown: Vec<String> = Vec::new();
    loop {
        let limit = rand::rng().random_range(10..60).to_string();
        let last = shown.last().cloned();
        let mut arguments: Vec<&str> = list.split(' ').collect();
        arguments.extend(["--json", "--limit", &limit]);
        if let Some(last) = &last {
            arguments.extend(["--after", last]);
        }
        let client = system.database.client();
        let (page, added) = tokio::join!(system.faithctl(&arguments), client.execute(add, &[&4]));
        added.unwrap();
        let hint = page.stderr.clone();
        let rows = page.json();
        let ids = rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned());
        shown.extend(ids);
        if !hint.contains("--after") {
            return shown;
        }
        assert!(hint.contains(shown.last().unwrap()), "{hint}");
    }
}

#[tokio::test]
async fn every_row_is_shown_once_while_others_are_added() {
    let system = campus_alone().await;
    let client = system.database.client();
    client
        .batch_execute("SELECT make_webhook_log_partitions(current_date - 4, current_date)")
        .await
        .unwrap();
    for fill in [DELIVERIES, LETTERS, RUNS] {
        client.execute(fill, &[&ROWS]).await.unwrap();
    }
    for (list, fill, all) in LISTS {
        let there: HashSet<String> = system
            .database
            .rows(all, &[])
            .await
            .iter()
            .map(|row| row["id"].as_str().unwrap().to_owned())
            .collect();
        let shown = every_page(&system, list, fill).await;
        let distinct: HashSet<String> = shown.iter().cloned().collect();
        assert_eq!(distinct.len(), shown.len(), "{list}: a row is shown twice");
        let missed: Vec<_> = there.difference(&distinct).collect();
        assert!(missed.is_empty(), "{list}: {missed:?}");
    }
}
