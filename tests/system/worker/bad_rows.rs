//! Rows that Postgres does not take: each fails alone.

use std::time::{Duration, Instant};

use core_sim::{Endpoint, Options};
use futures_util::future::join_all;
use harness::{TestSystem, eventually};
use serde_json::{Value, json};
use tokio::{sync::oneshot, task::JoinHandle};
use tokio_postgres::{Client, Transaction};

use super::{
    campus_under_test::{CampusUnderTest, SOON},
    queue::assert_queues_are_empty,
};

const DRAIN: Duration = Duration::from_secs(25);

/// Posts an event for each member while no worker runs, so that they come to be committed together.
async fn post_together(campus: CampusUnderTest<'_>, members: &[String]) -> Vec<String> {
    campus.system.worker(0).terminate(DRAIN).await.unwrap();
    let events = join_all(members.iter().map(|member| campus.post("member.updated", member))).await;
    campus.system.start_again("worker", 0).await;
    events
}

#[tokio::test]
async fn a_row_that_postgres_refuses_fails_alone() {
    const REFUSED: &str = "Unwritable Name";
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    campus.execute(&format!("ALTER TABLE members ADD CHECK (name <> '{REFUSED}')")).await;
    let members: Vec<String> = (0..30)
        .map(|n| if n == 13 { REFUSED.to_owned() } else { format!("Member {n}") })
        .map(|name| campus.create(json!({"full_name": name})))
        .collect();
    let events = post_together(campus, &members).await;
    for (n, event) in events.iter().enumerate() {
        let log = campus.end_of(event).await;
        let expected = if n == 13 { "dead" } else { "processed" };
        assert_eq!((&log["status"], &log["attempts"]), (&json!(expected), &json!(1)), "{log}");
    }
    let letter = campus.dead_letter(&events[13]).await;
    assert_eq!((&letter["cause"], &letter["attempts"]), (&json!("database"), &json!(1)));
    assert_eq!(campus.row(&members[13]).await, None);
    // Postgres quotes the row in its error; nobody may read it in letters, logs and metrics.
    let log = std::fs::read_to_string(system.worker(0).log()).unwrap();
    assert!(!log.contains(REFUSED) && !letter.to_string().contains(REFUSED));
    assert_queues_are_empty(&system).await;
}

#[tokio::test]
async fn a_row_that_somebody_has_locked_delays_its_own_event_only() {
    let system = TestSystem::builder().variable("RETRY_DELAYS", "500ms").spawn().await;
    let campus = CampusUnderTest::first(&system);
    let locked = campus.bring(json!({"full_name": "Locked"})).await;
    let mut members: Vec<String> =
        (0..10).map(|n| campus.create(json!({"full_name": format!("Member {n}")}))).collect();
    members.push(locked.clone());
    campus.change(&locked, json!({"full_name": "Locked and changed"}));
    let mut session = system.database.connect().await;
    let lock = session.transaction().await.unwrap();
    lock.execute("SELECT FROM members FOR UPDATE", &[]).await.unwrap();

    let events = post_together(campus, &members).await;
    let (waiting, others) = events.split_last().unwrap();
    for event in others {
        let log = campus.end_of(event).await;
        assert_eq!((&log["status"], &log["attempts"]), (&json!("processed"), &json!(1)));
    }
    let log = eventually("the event of the locked row waits", SOON, async || {
        campus.log(waiting).await.pop()
    })
    .await;
    assert_eq!((&log["status"], &log["message"]), (&json!("retrying"), &Value::Null));
    lock.rollback().await.unwrap();
    assert_eq!(campus.end_of(waiting).await["message"], "Member updated: Locked and changed");
    assert!(system.database.rows("SELECT FROM dead_letters", &[]).await.is_empty());
}

/// Asks the worker again and again whether it is ready, until the sender is dropped, and answers
/// every no.
fn watch_readiness(system: &TestSystem) -> (oneshot::Sender<()>, JoinHandle<Vec<String>>) {
    let url = format!("{}/readyz", system.admin_url("worker", 0));
    let (done, mut until) = oneshot::channel();
    let asking = tokio::spawn(async move {
        let mut unready = Vec::new();
        while let Err(oneshot::error::TryRecvError::Empty) = until.try_recv() {
            let answer = reqwest::get(&url).await.unwrap();
            if answer.status() != 200 {
                unready.push(answer.text().await.unwrap());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        unready
    });
    (done, asking)
}

/// A trigger of somebody's that does not take one member.
const REFUSING: &str = "
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'not this one' USING DETAIL = 'Unspeakable';
    END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON members FOR EACH ROW
        WHEN (NEW.name = 'Refused') EXECUTE FUNCTION refuse()";

#[tokio::test]
async fn a_row_that_a_trigger_refuses_is_retried_as_a_refusal_and_alone() {
    let system = TestSystem::builder().variable("RETRY_DELAYS", "200ms,2s").spawn().await;
    let campus = CampusUnderTest::first(&system);
    campus.execute(REFUSING).await;
    let members: Vec<String> = (0..100)
        .map(|n| if n % 40 == 7 { "Refused".to_owned() } else { format!("Member {n}") })
        .map(|name| campus.create(json!({"full_name": name})))
        .collect();
    let events = post_together(campus, &members).await;
    let (done, unready) = watch_readiness(&system);
    let is_refused = |n: usize| n % 40 == 7;
    for (n, event) in events.iter().enumerate().filter(|(n, _)| !is_refused(*n)) {
        let log = campus.end_of(event).await;
        assert_eq!(
            (&log["status"], &log["attempts"]),
            (&json!("processed"), &json!(1)),
            "{n}: {log}"
        );
    }
    let said = "Postgres refuses the member's row: not this one (SQLSTATE P0001).";
    for (_, event) in events.iter().enumerate().filter(|(n, _)| is_refused(*n)) {
        eventually("its log row says why", SOON, async || {
            campus.log(event).await.pop().filter(|log| log["error"] == said)
        })
        .await;
        let letter = campus.dead_letter(event).await;
        assert_eq!((&letter["cause"], &letter["reason"]), (&json!("database"), &json!(said)));
        assert_eq!(letter["attempts"], 3);
    }
    drop(done);
    let unready = unready.await.unwrap();
    assert!(unready.is_empty(), "one row is no reason not to be ready: {unready:?}");
    let fetches = system.core.requests(Endpoint::Member);
    assert!(fetches <= 100 + 3 * 2 + 20, "{fetches} fetches");
    let log = std::fs::read_to_string(system.worker(0).log()).unwrap();
    assert!(!log.contains("Unspeakable") && !log.contains("the session with Postgres was lost"));
    assert_queues_are_empty(&system).await;
}

#[tokio::test]
async fn what_everybody_is_refused_is_held_and_blamed_on_nobody() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let members: Vec<String> =
        (0..20).map(|n| campus.create(json!({"full_name": format!("Member {n}")}))).collect();
    campus.execute("REVOKE INSERT ON member_sync FROM faith_worker").await;
    let events = post_together(campus, &members).await;
    eventually("Postgres refuses", SOON, async || {
        std::fs::read_to_string(system.worker(0).log()).unwrap().contains("42501")
    })
    .await;
    campus.execute("GRANT INSERT ON member_sync TO faith_worker").await;
    for event in &events {
        let log = campus.end_of(event).await;
        assert_eq!(log["status"], "processed", "{log}");
    }
    let fetches = system.core.requests(Endpoint::Member);
    assert!(fetches < 20 * 30, "{fetches} fetches");
}

#[tokio::test]
async fn rows_that_one_campus_has_locked_hold_up_no_other() {
    /// One after another, 3 s each, they took a minute.
    const LOCKED: usize = 20;
    let options = Options::default();
    let second = options.churches[1].clone();
    let system = TestSystem::builder().core(options).variable("RETRY_DELAYS", "1s").spawn().await;
    let added = system.add_campus(&second, &[]).await;
    let (first, other) = (CampusUnderTest::first(&system), CampusUnderTest::of(&system, &added));
    other.until_known().await;
    let mut members = Vec::new();
    for n in 0..LOCKED {
        members.push(first.bring(json!({"full_name": format!("Member {n}")})).await);
    }
    let mut session = system.database.connect().await;
    let lock = session.transaction().await.unwrap();
    lock.execute("UPDATE members SET notes = 'x' WHERE campus_id = $1::text::uuid", &[&first.id])
        .await
        .unwrap();

    let begin = Instant::now();
    let waiting = join_all(members.iter().map(|member| first.post("member.updated", member))).await;
    other.bring(json!({"full_name": "Other"})).await;
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(10), "another campus waited for {took:?}");
    for event in &waiting {
        let log = eventually("it waits", SOON, async || first.log(event).await.pop()).await;
        assert_eq!((&log["status"], &log["attempts"]), (&json!("retrying"), &json!(0)), "{log}");
    }
    lock.rollback().await.unwrap();
    for event in &waiting {
        let log = first.end_of(event).await;
        assert_eq!((&log["status"], &log["attempts"]), (&json!("processed"), &json!(1)), "{log}");
    }
}

#[tokio::test]
async fn the_worker_gives_way_where_it_and_somebody_wait_for_each_other() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let mut members = Vec::new();
    for name in ["One", "Other"] {
        members.push(campus.bring(json!({"full_name": name})).await);
    }
    members.sort_unstable();
    let mut someone = system.database.connect().await;
    let hold = lock(&mut someone, &members[1]).await;
    for member in &members {
        campus.change(member, json!({"full_name": "Changed"}));
    }
    let events = post_together(campus, &members).await;
    // Whatever the worker has of the first by now, it does not keep it.
    let first = "SELECT FROM member_sync WHERE external_member_id = $1 FOR UPDATE";
    hold.execute(first, &[&members[0]]).await.unwrap();
    hold.rollback().await.unwrap();
    for (event, member) in events.iter().zip(&members) {
        let log = campus.end_of(event).await;
        assert_eq!((&log["status"], &log["attempts"]), (&json!("processed"), &json!(1)));
        assert_eq!(campus.member(member).await["name"], "Changed");
    }
}

async fn lock<'a>(client: &'a mut Client, member: &str) -> Transaction<'a> {
    let transaction = client.transaction().await.unwrap();
    let lock = "SELECT FROM member_sync WHERE external_member_id = $1 FOR UPDATE";
    transaction.execute(lock, &[&member]).await.unwrap();
    transaction
}
