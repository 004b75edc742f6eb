//! Operations that overlap, while workers are killed at random moments.

use std::time::Duration;

use harness::{TestSystem, eventually};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::Value;

use super::end_leases;
use crate::dead_letters::mailbox::{Mailbox, SOON};

#[tokio::test]
async fn no_operation_takes_a_letter_twice_whoever_is_killed() {
    const LETTERS: i32 = 1_500;
    const KILLS: usize = 4;
    let seed: u64 = rand::random();
    let mut random = StdRng::seed_from_u64(seed);
    let system = TestSystem::builder().gateways(0).workers(2).spawn().await;
    let mailbox = Mailbox { system: &system };
    let work = mailbox.intercept().await;
    mailbox.fill(LETTERS).await;
    let variety = "
        UPDATE dead_letters SET cause = 'database' WHERE event_id LIKE 'event-1%';
        UPDATE dead_letters SET cause = 'poison' WHERE event_id LIKE '%7';";
    system.database.client().batch_execute(variety).await.unwrap();
    let letters = mailbox.letters().await;
    let ids: Vec<&str> = (0..30)
        .map(|_| letters[random.random_range(0..letters.len())]["id"].as_str().unwrap())
        .collect();
    let by_id = [&["replay", "--id"][..], &ids].concat();
    let mut asked = [
        vec!["replay", "--cause", "database", "--rate", "300/s"],
        vec!["replay", "--rate", "300/s"],
        vec!["replay", "--cause", "poison", "--limit", "60"],
        vec!["replay", "--until", "1m", "--rate", "300/s"],
        by_id,
    ];
    for last in (1..asked.len()).rev() {
        asked.swap(last, random.random_range(0..=last));
    }
    // All are asked for before the first letter is sent: whoever names one that was sent before means it.
    for worker in 0..2 {
        system.worker(worker).kill();
        system.worker(worker).wait().await;
    }
    for arguments in &asked {
        mailbox.ask(arguments).await;
    }
    for worker in 0..2 {
        system.start_again("worker", worker).await;
    }
    for kill in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(random.random_range(100..900))).await;
        let worker = kill % 2;
        system.worker(worker).kill();
        system.worker(worker).wait().await;
        end_leases(&system).await;
        system.start_again("worker", worker).await;
    }
    eventually("all have ended", SOON, async || {
        let query = "SELECT state, kind, done, error FROM operations WHERE state <> 'done'";
        let open = system.database.rows(query, &[]).await;
        if open.is_empty() { Ok(()) } else { Err(format!("seed {seed}: {open:?}")) }
    })
    .await;
    let wrong = "SELECT * FROM dead_letters WHERE status <> 'replaying' OR replay_count <> 1";
    assert_eq!(system.database.rows(wrong, &[]).await, Vec::<Value>::new(), "seed {seed}");
    let counted = "SELECT (SELECT sum(done) FROM operations)::bigint AS done,
                          (SELECT sum(replay_count) FROM dead_letters)::bigint AS sent";
    let counted = system.database.rows(counted, &[]).await.remove(0);
    assert_eq!(counted["done"], counted["sent"], "seed {seed}");
    let sent = usize::try_from(counted["sent"].as_i64().unwrap()).unwrap();
    eventually("all are in the queue", SOON, async || work.count() >= sent).await;
    assert!(work.count() <= sent + KILLS * 100, "seed {seed}: {} of {sent}", work.count());
}
