//! Programs that stand still (SIGSTOP) for longer than anybody waits for them, and go on.

use std::time::Duration;

use harness::{TestSystem, eventually};
use serde_json::json;

use crate::worker::{
    campus_under_test::{CampusUnderTest, SOON},
    load::Load,
    queue::assert_queues_are_empty,
};

/// RabbitMQ takes a connection away from whoever is silent for 20 s, or a little longer. The length
/// of the fault itself, no wait for anything.
const FROZEN: Duration = Duration::from_secs(32);
const BACK_WITHIN: Duration = Duration::from_mins(1);
const DRAIN: Duration = Duration::from_secs(25);

#[tokio::test]
async fn programs_that_freeze_under_load_are_done_without_and_go_on() {
    let system = TestSystem::builder().workers(2).spawn().await;
    let load = Load::on(CampusUnderTest::first(&system), 40);
    let client = system.database.client();
    let until_done = async |more: i64| {
        let moment = i64::try_from(load.accepted()).unwrap() + more;
        eventually(&format!("{moment} events are done"), BACK_WITHIN, async || {
            Load::ended(client).await >= moment
        })
        .await;
    };
    let frozen = async {
        until_done(20).await;
        system.worker(0).freeze();
        tokio::time::sleep(FROZEN).await;
        // What it held, the other has done.
        until_done(5).await;
        system.worker(0).thaw();
        until_done(20).await;
        system.gateway(0).freeze();
        tokio::time::sleep(FROZEN).await;
        system.gateway(0).thaw();
        until_done(20).await;
    };
    let events = load.run_during(frozen).await;
    eventually("every event has come to its end", BACK_WITHIN, async || {
        Load::has_arrived(client, &events).await
    })
    .await;
    system.until_ready("gateway", 0, SOON).await;
    for worker in 0..2 {
        system.until_ready("worker", worker, SOON).await;
        assert_eq!(system.worker(worker).terminate(DRAIN).await.unwrap().code(), Some(0));
    }
    load.assert_done(client, &events).await;
    assert_queues_are_empty(&system).await;
}

/// Makes each write of a new member last for seconds.
const SLOW_WRITES: &str = "
    CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN PERFORM pg_sleep(2); RETURN NULL; END';
    CREATE TRIGGER dawdle AFTER INSERT ON members FOR EACH ROW EXECUTE FUNCTION dawdle()";

#[tokio::test]
async fn a_worker_that_freezes_in_its_transaction_gives_its_locks_back() {
    let system = TestSystem::builder().workers(2).variable("RETRY_DELAYS", "1s").spawn().await;
    let campus = CampusUnderTest::first(&system);
    system.worker(1).terminate(DRAIN).await.unwrap();
    let member = campus.create(json!({"full_name": "Budi"}));
    campus.execute(SLOW_WRITES).await;
    let first = campus.post("member.created", &member).await;
    let in_transaction = async |state: &str| {
        let sessions = "SELECT FROM pg_stat_activity WHERE datname = current_database()
             AND usename = 'faith_worker' AND xact_start IS NOT NULL AND state = $1";
        !system.database.client().query(sessions, &[&state]).await.unwrap().is_empty()
    };
    eventually("it writes the member", SOON, async || {
        let writing = "SELECT FROM pg_stat_activity WHERE datname = current_database()
             AND wait_event = 'PgSleep'";
        !system.database.client().query(writing, &[]).await.unwrap().is_empty()
    })
    .await;
    system.worker(0).freeze();
    eventually("it holds its locks and says nothing", SOON, async || {
        in_transaction("idle in transaction").await
    })
    .await;

    campus.change(&member, json!({"full_name": "Budi Santoso"}));
    system.start_again("worker", 1).await;
    // RabbitMQ gives some to the one that stands still, until it knows.
    let mut events = vec![first];
    for _ in 0..4 {
        events.push(campus.post("member.updated", &member).await);
    }
    let processed = async || {
        let query = "SELECT FROM webhook_logs WHERE status = 'processed'";
        system.database.rows(query, &[]).await.len()
    };
    eventually("the other writes the member", SOON, async || processed().await > 0).await;
    assert_eq!(campus.member(&member).await["name"], "Budi Santoso");
    eventually("all are done by the other", BACK_WITHIN, async || {
        let done = processed().await;
        if done == events.len() { Ok(()) } else { Err(done.to_string()) }
    })
    .await;
    system.worker(0).thaw();
    system.until_ready("worker", 0, SOON).await;
    assert_eq!(campus.sync("member.updated", &member).await["status"], "processed");
    for worker in 0..2 {
        assert_eq!(system.worker(worker).terminate(DRAIN).await.unwrap().code(), Some(0));
    }
    assert_eq!(campus.member(&member).await["name"], "Budi Santoso");
    for event in &events {
        assert_eq!(campus.log(event).await.len(), 1);
    }
    assert_queues_are_empty(&system).await;
}
