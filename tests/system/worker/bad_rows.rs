//! Rows that Postgres does not take: each fails alone (CORRECTNESS §5).

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tests::{
    core_sim::Endpoint,
    harness::{TestSystem, eventually},
};
use tokio_postgres::{Client, Transaction};

use super::{
    church::{Church, SOON},
    queue::assert_queues_are_empty,
};

const DRAIN: Duration = Duration::from_secs(25);

/// Posts an event for each member while no worker runs, so that they come to be committed together.
async fn post_together(church: Church<'_>, members: &[String]) -> Vec<String> {
    church.system.worker(0).terminate(DRAIN).await.unwrap();
    let events = join_all(members.iter().map(|member| church.post("member.updated", member))).await;
    church.system.start_again("worker", 0).await;
    events
}

#[tokio::test]
async fn a_row_that_postgres_refuses_fails_alone() {
    const REFUSED: &str = "Unwritable Name";
    let system = TestSystem::spawn().await;
    let church = Church::first(&system);
    church.execute(&format!("ALTER TABLE members ADD CHECK (name <> '{REFUSED}')")).await;
    let members: Vec<String> = (0..30)
        .map(|n| if n == 13 { REFUSED.to_owned() } else { format!("Member {n}") })
        .map(|name| church.create(json!({"full_name": name})))
        .collect();
    let events = post_together(church, &members).await;
    for (n, event) in events.iter().enumerate() {
        let log = church.end_of(event).await;
        let expected = if n == 13 { "dead" } else { "processed" };
        assert_eq!((&log["status"], &log["attempts"]), (&json!(expected), &json!(1)), "{log}");
    }
    let letter = church.dead_letter(&events[13]).await;
    assert_eq!((&letter["cause"], &letter["attempts"]), (&json!("database"), &json!(1)));
    assert_eq!(church.row(&members[13]).await, None);
    // Postgres quotes the row in its error; nobody may read it in letters, logs and metrics.
    let log = std::fs::read_to_string(system.worker(0).log()).unwrap();
    assert!(!log.contains(REFUSED) && !letter.to_string().contains(REFUSED));
    assert_queues_are_empty(&system).await;
}

#[tokio::test]
async fn a_row_that_somebody_has_locked_delays_its_own_event_only() {
    let system = TestSystem::builder().variable("RETRY_DELAYS", "500ms").spawn().await;
    let church = Church::first(&system);
    let locked = church.bring(json!({"full_name": "Locked"})).await;
    let mut members: Vec<String> =
        (0..10).map(|n| church.create(json!({"full_name": format!("Member {n}")}))).collect();
    members.push(locked.clone());
    church.change(&locked, json!({"full_name": "Locked and changed"}));
    let mut session = system.database.connect().await;
    let lock = session.transaction().await.unwrap();
    lock.execute("SELECT FROM members FOR UPDATE", &[]).await.unwrap();

    let events = post_together(church, &members).await;
    let (waiting, others) = events.split_last().unwrap();
    for event in others {
        let log = church.end_of(event).await;
        assert_eq!((&log["status"], &log["attempts"]), (&json!("processed"), &json!(1)));
    }
    let log = eventually("the event of the locked row waits", SOON, async || {
        church.log(waiting).await.pop()
    })
    .await;
    assert_eq!((&log["status"], &log["message"]), (&json!("retrying"), &Value::Null));
    lock.rollback().await.unwrap();
    assert_eq!(church.end_of(waiting).await["message"], "Member updated: Locked and changed");
    assert!(system.database.rows("SELECT FROM dead_letters", &[]).await.is_empty());
}

#[tokio::test]
async fn a_deadlock_with_somebody_ends_with_the_next_try() {
    /// What makes two events one batch is the third before them, and chance.
    const TRIES: usize = 10;
    let system = TestSystem::spawn().await;
    let church = Church::first(&system);
    let mut members = Vec::new();
    for name in ["One", "Other", "Before them"] {
        members.push(church.bring(json!({"full_name": name})).await);
    }
    let before = members.pop().unwrap();
    members.sort_unstable();
    let (mut someone, mut holder) =
        (system.database.connect().await, system.database.connect().await);
    for number in 0..TRIES {
        let (held, hold) =
            (lock(&mut holder, &before).await, lock(&mut someone, &members[1]).await);
        let mut events = vec![church.post("member.updated", &before).await];
        until_blocked(&system).await;
        let asked = system.core.requests(Endpoint::Member);
        for member in &members {
            church.change(member, json!({"full_name": format!("Changed {number}")}));
            events.push(church.post("member.updated", member).await);
        }
        eventually("the core was asked for both", SOON, async || {
            system.core.requests(Endpoint::Member) >= asked + 2
        })
        .await;
        held.rollback().await.unwrap();
        until_blocked(&system).await;
        // The worker has the first of the two and waits for the second; the other way round here.
        let first = "SELECT FROM member_sync WHERE external_member_id = $1 FOR UPDATE";
        hold.execute(first, &[&members[0]]).await.unwrap();
        hold.rollback().await.unwrap();
        for event in &events {
            let log = church.end_of(event).await;
            assert_eq!((&log["status"], &log["attempts"]), (&json!("processed"), &json!(1)));
        }
        for member in &members {
            assert_eq!(church.member(member).await["name"], format!("Changed {number}"));
        }
        if std::fs::read_to_string(system.worker(0).log()).unwrap().contains("40P01") {
            return;
        }
    }
    panic!("there was no deadlock in {TRIES} tries");
}

async fn lock<'a>(client: &'a mut Client, member: &str) -> Transaction<'a> {
    let transaction = client.transaction().await.unwrap();
    let lock = "SELECT FROM member_sync WHERE external_member_id = $1 FOR UPDATE";
    transaction.execute(lock, &[&member]).await.unwrap();
    transaction
}

/// Waits until a session of this database waits for a lock.
async fn until_blocked(system: &TestSystem) {
    let blocked = "SELECT FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'";
    eventually("the worker waits for a lock", SOON, async || {
        !system.database.client().query(blocked, &[]).await.unwrap().is_empty()
    })
    .await;
}
