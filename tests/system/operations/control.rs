//! What an operator decides about an operation under way.

use harness::{TestSystem, eventually};
use serde_json::{Value, json};

use super::{row, show};
use crate::dead_letters::mailbox::{Mailbox, SOON};

/// Seconds between two moments of the database's clock.
async fn seconds(system: &TestSystem, sql: &str, id: &str) -> f64 {
    let query =
        format!("SELECT extract(epoch FROM {sql})::float8 FROM operations WHERE id::text = $1");
    system.database.client().query_one(&query, &[&id]).await.unwrap().get(0)
}

async fn is_under_way(system: &TestSystem, id: &str, done: i64) {
    eventually("it is under way", SOON, async || {
        let row = row(system, id).await;
        if row["done"].as_i64() >= Some(done) { Ok(()) } else { Err(row.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn a_stop_is_in_force_within_a_second() {
    let system = TestSystem::builder().gateways(0).spawn().await;
    let mailbox = Mailbox { system: &system };
    let _work = mailbox.intercept().await;
    mailbox.fill(2_000).await;
    let watched = mailbox.beside("watched", &["replay", "--yes", "--rate", "2/s", "--json"]);
    let id = eventually("it is asked for", SOON, async || {
        system.database.rows("SELECT id FROM operations", &[]).await.pop()
    })
    .await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    is_under_way(&system, &id, 1).await;
    system.faithctl(&["operations", "stop", &id]).await.success();
    let asked = "CREATE TABLE asked AS SELECT clock_timestamp() AS at";
    system.database.client().batch_execute(asked).await.unwrap();
    eventually("it is stopped", SOON, async || row(&system, &id).await["state"] == "stopped").await;
    let late = seconds(&system, "ended_at - (SELECT at FROM asked)", &id).await;
    assert!(late < 1.0, "{late}");
    let ended = watched.wait().await.unwrap();
    assert_eq!(ended.code(), Some(1), "{}", watched.log_tail(20));
    assert!(watched.log_tail(40).contains("was stopped"), "{}", watched.log_tail(40));
    let stopped = row(&system, &id).await;
    let sent = mailbox.statuses().await["replaying"];
    assert_eq!((stopped["done"].as_i64(), &stopped["lease_by"]), (Some(sent), &Value::Null));
    // What has ended stays so.
    for decision in ["pause", "resume", "stop"] {
        let refused = system.faithctl(&["operations", decision, &id]).await;
        assert_eq!(refused.code, Some(1), "{refused:?}");
    }
    let nobody = "00000000-0000-0000-0000-000000000000";
    for command in ["show", "stop"] {
        assert_eq!(system.faithctl(&["operations", command, nobody]).await.code, Some(1));
    }
}

/// As the console asks for one, by a login that is an address.
const OF_CONSOLE: &str = "
    INSERT INTO operations (id, kind, request_id, by, role, via, filters, rate)
    SELECT gen_random_uuid(), 'replay', gen_random_uuid(), 'anna@example.org', 'operator', 'console',
           jsonb_build_object('campus_id', campus_id), 50 FROM sync_configs
    RETURNING id::text";

#[tokio::test]
async fn a_decision_is_noted_with_what_it_changed() {
    let system = TestSystem::builder().gateways(0).workers(0).spawn().await;
    let id = system.database.client().query_one(OF_CONSOLE, &[]).await.unwrap();
    let id: &str = id.get(0);
    for decision in [&["pause"][..], &["resume"], &["set-rate", "5/s"], &["stop"]] {
        let arguments = [&["operations", decision[0], id], &decision[1..]].concat();
        system.faithctl(&arguments).await.success();
    }
    let query = "SELECT action, via, campus_id, subject FROM operator_log WHERE operation_id::text = $1 ORDER BY at, id";
    let noted = system.database.rows(query, &[&id]).await;
    let changes = [
        ("operations pause", json!({"state": {"old": "waiting", "new": "paused"}})),
        ("operations resume", json!({"state": {"old": "paused", "new": "waiting"}})),
        ("operations set-rate", json!({"rate": {"old": 50, "new": 5}})),
        ("operations stop", json!({"state": {"old": "waiting", "new": "stopped"}})),
    ];
    for (action, change) in changes {
        let entry = noted.iter().find(|entry| entry["action"] == action).unwrap();
        assert_eq!(entry["via"], "faithctl", "{entry}");
        assert_eq!(entry["campus_id"], json!(system.campus.id), "{entry}");
        for (name, change) in change.as_object().unwrap() {
            assert_eq!(entry["subject"][name], *change, "{entry}");
        }
    }
    let end = noted.iter().find(|entry| entry["action"] == "dead-letters replay").unwrap();
    assert_eq!((&end["via"], noted.len()), (&json!("console"), 5), "{noted:?}");
}

#[tokio::test]
async fn a_paused_operation_stands_still_until_it_is_resumed() {
    let system = TestSystem::builder().gateways(0).spawn().await;
    let mailbox = Mailbox { system: &system };
    let _work = mailbox.intercept().await;
    mailbox.fill(1_000).await;
    let id = mailbox.ask(&["replay", "--rate", "100/s"]).await;
    is_under_way(&system, &id, 20).await;
    let paused = system.faithctl(&["operations", "pause", &id, "--json"]).await.json();
    assert_eq!(paused["state"], "paused");
    eventually("nobody carries it out", SOON, async || {
        row(&system, &id).await["lease_by"].is_null()
    })
    .await;
    let done = row(&system, &id).await["done"].clone();
    // Another one is carried out meanwhile, also on letters of this one.
    assert_eq!(mailbox.replay(&["--limit", "100"]).await, 100);
    let shown = system.faithctl(&["operations", "show", &id]).await.success();
    assert!(shown.contains("paused"), "{shown}");
    assert_eq!(row(&system, &id).await["done"], done);
    system.faithctl(&["operations", "set-rate", &id, "off"]).await.success();
    system.faithctl(&["operations", "resume", &id]).await.success();
    eventually("it is done", SOON, async || row(&system, &id).await["state"] == "done").await;
    let ended = show(&system, &id).await;
    let numbers = (&ended["matched"], &ended["done"], &ended["skipped"]);
    assert_eq!(numbers, (&json!(1_000), &json!(900), &json!(100)), "{ended}");
    let once = "SELECT FROM dead_letters WHERE replay_count = 1";
    assert_eq!(system.database.rows(once, &[]).await.len(), 1_000);
}

#[tokio::test]
async fn a_rate_is_kept_and_can_be_changed_on_the_way() {
    let system = TestSystem::builder().gateways(0).spawn().await;
    let mailbox = Mailbox { system: &system };
    let _work = mailbox.intercept().await;
    mailbox.fill(500).await;
    let id = mailbox.ask(&["replay", "--rate", "50/s"]).await;
    is_under_way(&system, &id, 100).await;
    system.faithctl(&["operations", "set-rate", &id, "200/s"]).await.success();
    eventually("it is done", SOON, async || row(&system, &id).await["state"] == "done").await;
    // The first hundred at the first rate, the last two hundred at the second.
    let sent = "SELECT extract(epoch FROM replayed_at)::float8 AS at FROM dead_letters ORDER BY replayed_at";
    let sent: Vec<f64> = system
        .database
        .rows(sent, &[])
        .await
        .iter()
        .map(|row| row["at"].as_f64().unwrap())
        .collect();
    for (letters, rate) in [(&sent[..100], 50.0), (&sent[300..], 200.0)] {
        let took = letters.last().unwrap() - letters[0];
        // The batch that was sent last is what the next interval is for.
        let before = letters.iter().filter(|at| **at < letters.last().unwrap() - 0.01).count();
        #[allow(clippy::cast_precision_loss, reason = "hundreds")]
        let seen = before as f64 / took;
        assert!((rate * 0.9..=rate * 1.1).contains(&seen), "{seen} instead of {rate}");
    }
}
