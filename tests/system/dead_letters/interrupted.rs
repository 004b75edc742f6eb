//! Replays that do not come to their end at once: watched no more, killed, or with the broker away.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use harness::{
    Interception,
    proxy::{End, Mode, Scope},
    {TestSystem, eventually},
};
use nix::sys::signal::Signal;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;
use support::program::Program;

use super::mailbox::{Mailbox, SOON, queued};

const LETTERS: i32 = 3_000;
/// Letters that a worker may have published and not yet marked when it is killed.
const IN_FLIGHT: usize = 100;
/// A replay that has marked nothing for so long waits: a batch a quarter of a second is its pace.
const STILL: Duration = Duration::from_secs(1);

impl Mailbox<'_> {
    async fn replaying(&self) -> i64 {
        self.statuses().await.get("replaying").copied().unwrap_or(0)
    }

    /// Waits until a replay beside the test has marked so many.
    async fn until_replaying(&self, number: i64, replay: &Program) {
        eventually("some letters are on their way", SOON, async || {
            let seen = self.replaying().await;
            if seen >= number || replay.ended().is_some() { Ok(()) } else { Err(seen.to_string()) }
        })
        .await;
    }

    /// Waits until every letter is on its way; asserts that no letter was marked twice, and that there are no more
    /// duplicates than were possible.
    async fn assert_all_queued(&self, work: &Interception, duplicates: usize, context: &str) {
        let letters = usize::try_from(LETTERS).unwrap();
        eventually("all are on their way", SOON, async || {
            let seen = self.replaying().await;
            if seen == i64::from(LETTERS) { Ok(()) } else { Err(format!("{seen}; {context}")) }
        })
        .await;
        let marked = self.letters().await;
        assert!(marked.iter().all(|letter| letter["replay_count"] == 1), "{context}");
        let deliveries = async || {
            let queued = queued(work);
            let distinct: HashSet<_> = queued.iter().map(|queued| queued.delivery).collect();
            (distinct.len(), queued.len())
        };
        // The broker's confirm may be quicker than its delivery.
        eventually("all are in the queue", SOON, async || deliveries().await.0 == letters).await;
        let number = deliveries().await.1;
        assert!(number <= letters + duplicates, "{number} messages; {context}");
    }

    /// What a worker holds that was killed is free after half a minute; nobody waits for that here.
    async fn end_leases(&self) {
        let end = "UPDATE operations SET lease_until = now() WHERE lease_until IS NOT NULL";
        self.system.database.client().batch_execute(end).await.unwrap();
    }
}

#[tokio::test]
async fn a_replay_that_nobody_watches_any_more_goes_on() {
    let system = TestSystem::builder().gateways(0).spawn().await;
    let mailbox = Mailbox { system: &system };
    let work = mailbox.intercept().await;
    mailbox.fill(LETTERS).await;
    let replay = mailbox.beside("interrupted", &["replay", "--yes", "--rate", "1000/s"]);
    mailbox.until_replaying(200, &replay).await;
    replay.signal(Signal::SIGINT);
    let ended = replay.wait().await.unwrap();
    assert_eq!(ended.code(), Some(130), "{}", replay.log_tail(20));
    let said = replay.log_tail(20);
    let operation = system.database.rows("SELECT * FROM operations", &[]).await.remove(0);
    let id = operation["id"].as_str().unwrap();
    for words in [
        "goes on without this command".to_owned(),
        format!("faithctl operations show {id}"),
        format!("faithctl operations stop {id}"),
        "of 3,000 dead letters".to_owned(),
    ] {
        assert!(said.contains(&words), "{words}: {said}");
    }
    // Its terminal is closed, or its machine shut.
    let killed = mailbox.beside("killed", &["replay", "--yes"]);
    eventually("it is asked for", SOON, async || {
        system.database.rows("SELECT FROM operations", &[]).await.len() == 2
    })
    .await;
    killed.kill();
    killed.wait().await;

    mailbox.assert_all_queued(&work, 0, "interrupted").await;
    eventually("both have come to their ends", SOON, async || {
        let query = "SELECT state, done FROM operations ORDER BY created_at";
        let rows = system.database.rows(query, &[]).await;
        let ends = [json!({"state": "done", "done": 3000}), json!({"state": "done", "done": 0})];
        if rows == ends { Ok(()) } else { Err(format!("{rows:?}")) }
    })
    .await;
}

#[tokio::test]
async fn workers_that_are_killed_during_a_replay_lose_nothing() {
    const KILLS: usize = 5;
    let seed: u64 = rand::random();
    let mut random = StdRng::seed_from_u64(seed);
    let system = TestSystem::builder().gateways(0).workers(2).spawn().await;
    let mailbox = Mailbox { system: &system };
    let work = mailbox.intercept().await;
    mailbox.fill(LETTERS).await;
    // Slow enough to be killed before it has finished, on any machine.
    let replay = mailbox.beside("watched", &["replay", "--yes", "--rate", "400/s"]);
    for kill in 0..KILLS {
        let moment = mailbox.replaying().await + random.random_range(1..300);
        mailbox.until_replaying(moment, &replay).await;
        tokio::time::sleep(Duration::from_micros(random.random_range(0..20_000))).await;
        for worker in 0..2 {
            system.worker(worker).kill();
            system.worker(worker).wait().await;
        }
        mailbox.end_leases().await;
        system.start_again("worker", kill % 2).await;
    }
    assert!(replay.ended().is_none(), "seed {seed}: {}", replay.log_tail(20));
    let set_rate = ["operations", "set-rate"];
    let operation = system.database.rows("SELECT id FROM operations", &[]).await.remove(0);
    let id = operation["id"].as_str().unwrap();
    system.faithctl(&[&set_rate[..], &[id, "off"]].concat()).await.success();
    let ended = replay.wait().await.unwrap();
    assert_eq!(ended.code(), Some(0), "seed {seed}: {}", replay.log_tail(20));
    assert!(replay.log_tail(20).contains("replayed 3,000 of 3,000"), "{}", replay.log_tail(20));
    mailbox.assert_all_queued(&work, KILLS * IN_FLIGHT, &format!("seed {seed}")).await;
}

/// The broker has letters, and the row of none of them says so.
#[tokio::test]
async fn a_worker_that_is_killed_between_its_publish_and_its_commit_leaves_its_letters_open() {
    for confirmed in [false, true] {
        let system = TestSystem::builder().gateways(0).proxied().spawn().await;
        let mailbox = Mailbox { system: &system };
        let work = mailbox.intercept().await;
        mailbox.fill(LETTERS).await;
        let proxies = system.proxies();
        let replay = mailbox.beside("watched", &["replay", "--yes", "--rate", "400/s"]);
        mailbox.until_replaying(100, &replay).await;
        let (confirms, statements) = (&proxies.worker_to_rabbitmq, &proxies.worker_to_postgres);
        let published = Scope::sent_by(End::Server).named("worker publisher");
        confirms.set_for(published, Mode::Pause);
        let mut last = (0, Instant::now());
        let marked = eventually("letters wait for their confirms", SOON, async || {
            let marked = mailbox.replaying().await;
            let queued = i64::try_from(work.count()).unwrap();
            if marked != last.0 {
                last = (marked, Instant::now());
            }
            let stands_still = queued > marked && last.1.elapsed() > STILL;
            if stands_still { Ok(marked) } else { Err(format!("{queued} of {marked}")) }
        })
        .await;
        if confirmed {
            // The confirms come, and what would mark the letters is lost on its way.
            let before = statements.swallowed();
            statements.set_for(Scope::sent_by(End::Client), Mode::BlackHole);
            confirms.set(Mode::Forward);
            eventually("it says that they were confirmed", SOON, async || {
                statements.swallowed() > before
            })
            .await;
        }
        system.worker(0).kill();
        system.worker(0).wait().await;
        confirms.reset();
        for way in [confirms, statements] {
            way.set(Mode::Forward);
        }
        assert_eq!(mailbox.replaying().await, marked);
        assert!(i64::try_from(work.count()).unwrap() > marked);
        mailbox.end_leases().await;
        system.start_again("worker", 0).await;
        let ended = replay.wait().await.unwrap();
        assert_eq!(ended.code(), Some(0), "{}", replay.log_tail(20));
        let context = format!("confirmed: {confirmed}");
        mailbox.assert_all_queued(&work, IN_FLIGHT, &context).await;
    }
}

#[tokio::test]
async fn a_replay_waits_for_the_broker_and_goes_on_when_it_comes_back() {
    let system = TestSystem::builder().own_servers().gateways(0).spawn().await;
    let mailbox = Mailbox { system: &system };
    mailbox.fill(LETTERS).await;
    let broker = &system.servers().rabbitmq;
    let replay = mailbox
        .beside("outlives", &["replay", "--yes", "--cause", "member_not_found", "--rate", "500/s"]);
    eventually("some are sent", SOON, async || {
        let sent = "SELECT FROM dead_letters WHERE replay_count > 0 LIMIT 300";
        system.database.rows(sent, &[]).await.len() == 300
    })
    .await;
    broker.kill();
    broker.ended().await;
    eventually("it says what it waits for", SOON, async || {
        let said = replay.log_tail(20);
        if said.contains("waiting for it") { Ok(()) } else { Err(said) }
    })
    .await;
    // A worker that has it would go on.
    eventually("it is given back", SOON, async || {
        let query = "SELECT state, lease_by, error FROM operations";
        let waits = json!({"state": "waiting", "lease_by": null, "error": "RabbitMQ is away: waiting for it"});
        let rows = system.database.rows(query, &[]).await;
        if rows == [waits] { Ok(()) } else { Err(format!("{rows:?}")) }
    })
    .await;
    // Listings and a discard do not need it, and the replay holds up neither.
    mailbox.run(&["groups"]).await.success();
    mailbox.fill_unreadable().await;
    let discard = ["discard", "--yes", "--cause", "invalid_event", "--note", "no use"];
    assert_eq!(mailbox.run(&discard).await.success().trim(), "discarded 1 of 1 dead letter");

    broker.start_again().await.unwrap();
    let ended = tokio::time::timeout(3 * SOON, replay.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(0), "{}", replay.log_tail(20));
    let wrong = "SELECT * FROM dead_letters WHERE replay_count <> 1 AND cause <> 'invalid_event'";
    assert_eq!(system.database.rows(wrong, &[]).await.len(), 0, "{}", replay.log_tail(20));
}
