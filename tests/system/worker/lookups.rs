//! What Postgres reads for an event does not depend on how large its tables were when the worker
//! came: a plan for empty tables, kept while they grow, would read them whole for each batch.

use std::time::Duration;

use futures_util::future::join_all;
use harness::{TestSystem, eventually};
use serde_json::json;

use super::campus_under_test::{CampusUnderTest, SOON};

/// Enough that reading everything for each batch shows.
const MEMBERS: usize = 300;
/// A few for each table that an event touches, and each partition that may hold its duplicate.
const MOST_READ_PER_EVENT: i64 = 10;

#[tokio::test]
async fn a_worker_that_began_on_empty_tables_reads_by_key() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    // A table that vacuum found empty is the one that Postgres would rather read whole.
    system.worker(0).terminate(Duration::from_secs(25)).await.unwrap();
    for statement in ["TRUNCATE members, member_sync, webhook_logs CASCADE", "VACUUM ANALYZE"] {
        system.database.client().batch_execute(statement).await.unwrap();
    }
    system.start_again("worker", 0).await;
    let before = rows_read(&system).await;

    let members: Vec<String> =
        (0..MEMBERS).map(|n| campus.create(json!({"full_name": format!("M {n}")}))).collect();
    join_all(members.iter().map(|member| campus.post("member.created", member))).await;
    until_settled(&system, MEMBERS).await;
    for member in &members {
        campus.change(member, json!({"full_name": "Somebody else"}));
    }
    join_all(members.iter().map(|member| campus.post("member.updated", member))).await;
    until_settled(&system, 2 * MEMBERS).await;
    // Sessions tell what they read when they end, at the latest.
    system.worker(0).terminate(Duration::from_secs(25)).await.unwrap();

    let events = i64::try_from(2 * MEMBERS).unwrap();
    let read = eventually("Postgres tells what was read", SOON, async || {
        let read = rows_read(&system).await - before;
        if read >= events { Ok(read) } else { Err(format!("{read} rows")) }
    })
    .await;
    assert!(read <= events * MOST_READ_PER_EVENT, "{read} rows for {events} events");
    let named = "SELECT count(*) FROM members WHERE name = 'Somebody else'";
    let named: i64 = system.database.client().query_one(named, &[]).await.unwrap().get(0);
    assert_eq!(usize::try_from(named).unwrap(), MEMBERS);
}

/// Rows that were read from the tables which grow, with or without an index, by anybody.
async fn rows_read(system: &TestSystem) -> i64 {
    let read = "SELECT sum(t.seq_tup_read + coalesce(
                    (SELECT sum(i.idx_tup_read) FROM pg_stat_user_indexes i WHERE i.relid = t.relid), 0)
                )::bigint
                FROM pg_stat_user_tables t
                WHERE t.relname IN ('members', 'member_sync', 'member_photos', 'dead_letters')
                   OR t.relname LIKE 'webhook\\_logs%'";
    system.database.client().query_one(read, &[]).await.unwrap().get(0)
}

/// Waits without reading any of those tables.
pub(crate) async fn until_settled(system: &TestSystem, events: usize) {
    let url = format!("{}/metrics", system.admin_url("worker", 0));
    eventually("the worker has done all", SOON, async || {
        let text = reqwest::get(&url).await.unwrap().text().await.unwrap();
        let done: f64 = text
            .lines()
            .filter(|line| line.starts_with("worker_events_settled_total{outcome=\"done\""))
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
            .sum();
        #[allow(clippy::cast_precision_loss, reason = "some hundreds")]
        if done >= events as f64 { Ok(()) } else { Err(format!("{done} of {events}")) }
    })
    .await;
}
