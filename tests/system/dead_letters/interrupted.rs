//! Replays that do not come to their end: interrupted, killed, or with the broker away.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use harness::{
    proxy::{End, Mode, Scope},
    {TestSystem, eventually},
};
use nix::sys::signal::Signal;
use queue::WORK;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use support::program::Program;

use super::mailbox::{Mailbox, SOON};

const LETTERS: i32 = 3_000;
/// Letters that a replay may have published and not yet marked when it is killed.
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

    /// Asserts that each letter is in the work queue, and no more duplicates than were possible.
    async fn assert_all_queued(&self, duplicates: usize, context: &str) {
        let letters = usize::try_from(LETTERS).unwrap();
        assert_eq!(self.replaying().await, i64::from(LETTERS), "{context}");
        let queued = self.take_queued().await;
        let deliveries: HashSet<_> = queued.iter().map(|queued| queued.delivery).collect();
        assert_eq!(deliveries.len(), letters, "{context}");
        assert!(queued.len() <= letters + duplicates, "{} messages; {context}", queued.len());
    }
}

#[tokio::test]
async fn an_interrupted_replay_says_what_was_done_and_another_goes_on() {
    let system = TestSystem::builder().workers(0).spawn().await;
    let mailbox = Mailbox { system: &system };
    mailbox.fill(LETTERS).await;
    let replay = mailbox.beside("interrupted", &["replay", "--yes", "--rate", "1000/s"]);
    mailbox.until_replaying(200, &replay).await;
    replay.signal(Signal::SIGINT);
    let ended = replay.wait().await.unwrap();
    assert_eq!(ended.code(), Some(130), "{}", replay.log_tail(20));
    let done = mailbox.replaying().await;
    assert!((200..3_000).contains(&done), "{done}");
    let said = replay.log_tail(20);
    let number = format!("{},{:03}", done / 1000, done % 1000);
    let number = number.trim_start_matches("0,");
    assert!(said.contains(&format!("replayed {number} of 3,000 dead letters")), "{said}");
    assert!(said.contains("the same command again goes on"), "{said}");

    let rest = u64::try_from(i64::from(LETTERS) - done).unwrap();
    assert_eq!(mailbox.replay(&[]).await, rest);
    mailbox.assert_all_queued(0, "interrupted").await;
}

#[tokio::test]
async fn replays_that_are_killed_lose_nothing() {
    const KILLS: usize = 5;
    let seed: u64 = rand::random();
    let mut random = StdRng::seed_from_u64(seed);
    let system = TestSystem::builder().workers(0).spawn().await;
    let mailbox = Mailbox { system: &system };
    mailbox.fill(LETTERS).await;
    for kill in 0..KILLS {
        // Slow enough to be killed before it has finished, on any machine.
        let arguments = ["replay", "--yes", "--rate", "400/s"];
        let replay = mailbox.beside(&format!("killed-{kill}"), &arguments);
        let moment = mailbox.replaying().await + random.random_range(1..300);
        mailbox.until_replaying(moment, &replay).await;
        tokio::time::sleep(Duration::from_micros(random.random_range(0..20_000))).await;
        replay.kill();
        replay.wait().await;
    }
    let statuses = mailbox.statuses().await;
    assert!(statuses.contains_key("open"), "seed {seed}: {statuses:?}");
    // What a killed session had locked is free at the latest when Postgres has noticed.
    eventually("all are on their way", SOON, async || {
        mailbox.run(&["replay", "--yes"]).await;
        mailbox.replaying().await == i64::from(LETTERS)
    })
    .await;
    mailbox.assert_all_queued(KILLS * IN_FLIGHT, &format!("seed {seed}")).await;
}

/// The broker has letters, and the row of none of them says so.
#[tokio::test]
async fn a_replay_that_is_killed_between_its_publish_and_its_commit_leaves_its_letters_open() {
    for confirmed in [false, true] {
        let system = TestSystem::builder().proxied().workers(0).spawn().await;
        let mailbox = Mailbox { system: &system };
        mailbox.fill(LETTERS).await;
        let proxies = system.proxies();
        let replay = mailbox.beside("killed", &["replay", "--yes", "--rate", "400/s"]);
        mailbox.until_replaying(100, &replay).await;
        let (confirms, statements) = (&proxies.admin_to_rabbitmq, &proxies.admin_to_postgres);
        confirms.set_for(Scope::sent_by(End::Server), Mode::Pause);
        let mut last = (0, Instant::now());
        let marked = eventually("letters wait for their confirms", SOON, async || {
            let marked = mailbox.replaying().await;
            let queued = i64::from(system.queue_depth(WORK).await.unwrap());
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
        replay.kill();
        replay.wait().await;
        confirms.reset();
        for way in [confirms, statements] {
            way.set(Mode::Forward);
        }
        assert_eq!(mailbox.replaying().await, marked);
        assert!(system.queue_depth(WORK).await.unwrap() > u32::try_from(marked).unwrap());
        eventually("all are on their way", SOON, async || {
            mailbox.run(&["replay", "--yes"]).await.success();
            mailbox.replaying().await == i64::from(LETTERS)
        })
        .await;
        mailbox.assert_all_queued(IN_FLIGHT, &format!("confirmed: {confirmed}")).await;
    }
}

#[tokio::test]
async fn a_replay_goes_on_when_the_broker_comes_back() {
    let system = TestSystem::builder().own_servers().workers(0).spawn().await;
    let mailbox = Mailbox { system: &system };
    mailbox.fill(LETTERS).await;
    let broker = &system.servers().rabbitmq;
    let replay = mailbox.beside("outlives", &["replay", "--yes"]);
    mailbox.until_replaying(300, &replay).await;
    broker.kill();
    broker.ended().await;
    broker.start_again().await.unwrap();
    let ended = tokio::time::timeout(3 * SOON, replay.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(0), "{}", replay.log_tail(20));
    mailbox.assert_all_queued(IN_FLIGHT, &replay.log_tail(20)).await;
}

#[tokio::test]
async fn without_a_broker_nothing_is_replayed_and_the_reason_is_said() {
    let system = TestSystem::builder().own_servers().workers(0).spawn().await;
    let mailbox = Mailbox { system: &system };
    mailbox.fill(3).await;
    let before = mailbox.letters().await;
    let broker = &system.servers().rabbitmq;
    broker.kill();
    broker.ended().await;
    let failed = mailbox.run(&["replay", "--yes"]).await;
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(
        failed.stderr.contains("nothing was replayed: cannot connect to RabbitMQ"),
        "{failed:?}"
    );
    assert_eq!(mailbox.letters().await, before);
    // Listings and a discard do not need it.
    mailbox.run(&["groups"]).await.success();
    mailbox.run(&["discard", "--yes", "--note", "no use"]).await.success();
}
