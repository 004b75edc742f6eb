//! From the dead queue into Postgres: in batches, and exactly by the rules.

use std::time::Duration;

use chrono::TimeDelta;
use core_sim::Webhook;
use event::Envelope;
use futures_util::future::join_all;
use harness::{TestSystem, eventually};
use queue::DEAD;
use rand::RngExt;
use serde_json::{Value, json};

use super::mailbox::{Mailbox, SOON, to_dead, to_work};

#[tokio::test]
async fn a_collector_that_is_killed_among_many_letters_loses_and_doubles_none() {
    const LETTERS: i64 = 3_000;
    let system = TestSystem::builder().gateways(0).workers(2).spawn().await;
    let mailbox = Mailbox { system: &system };
    for worker in 0..2 {
        system.worker(worker).terminate(Duration::from_secs(25)).await.unwrap();
    }
    let channel = mailbox.channel().await;
    let envelopes: Vec<Envelope> = (0..LETTERS)
        .map(|n| mailbox.envelope("member.updated", &format!("member-{n}"), TimeDelta::hours(1)))
        .collect();
    for some in envelopes.chunks(200) {
        join_all(some.iter().map(|envelope| to_dead(&channel, envelope))).await;
    }
    let count = async || mailbox.statuses().await.get("open").copied().unwrap_or(0);
    let mut moments = Vec::new();
    for kill in 0..4 {
        let worker = kill % 2;
        system.worker(worker).start().unwrap();
        let moment = count().await + rand::rng().random_range(1..400);
        moments.push(moment);
        eventually("some are collected", SOON, async || count().await >= moment.min(LETTERS)).await;
        system.worker(worker).kill();
        system.worker(worker).wait().await;
    }
    for worker in 0..2 {
        system.start_again("worker", worker).await;
    }
    eventually("all are collected", SOON, async || count().await == LETTERS).await;
    for worker in 0..2 {
        system.worker(worker).terminate(Duration::from_secs(25)).await.unwrap();
    }
    assert_eq!(system.queue_depth(DEAD).await, Some(0), "killed at {moments:?}");
    let wrong = "SELECT * FROM dead_letters d FULL JOIN webhook_logs l ON l.id = d.id AND l.received_at = d.received_at
         WHERE d.status IS DISTINCT FROM 'open' OR l.status IS DISTINCT FROM 'dead' OR d.replay_count <> 0
            OR d.attempts <> 3 OR l.attempts <> 3 OR l.error IS DISTINCT FROM d.reason";
    assert_eq!(
        system.database.rows(wrong, &[]).await,
        Vec::<Value>::new(),
        "killed at {moments:?}"
    );
    assert_eq!(mailbox.letters().await.len(), envelopes.len(), "killed at {moments:?}");
}

#[tokio::test]
async fn a_letter_that_postgres_refuses_is_kept_as_bytes_and_its_neighbours_as_they_are() {
    let system = TestSystem::spawn().await;
    let mailbox = Mailbox { system: &system };
    system.worker(0).terminate(Duration::from_secs(25)).await.unwrap();
    let refuse = "ALTER TABLE dead_letters ADD CHECK (member_id <> 'refused')";
    system.database.client().batch_execute(refuse).await.unwrap();
    let channel = mailbox.channel().await;
    let members = ["one", "two", "refused", "three", "refused", "four"];
    for member in members {
        to_dead(&channel, &mailbox.envelope("member.updated", member, TimeDelta::hours(1))).await;
    }
    system.start_again("worker", 0).await;
    mailbox.until_statuses(&[("open", 6)]).await;
    let letters = mailbox.letters().await;
    let (bytes, events): (Vec<&Value>, Vec<&Value>) =
        letters.iter().partition(|letter| letter["event_id"].is_null());
    assert_eq!((bytes.len(), events.len()), (2, 4), "{letters:?}");
    for letter in bytes {
        assert!(letter["envelope"]["base64"].is_string(), "{letter}");
        assert_eq!(
            (&letter["campus_id"], &letter["cause"]),
            (&Value::Null, &json!("member_not_found"))
        );
    }
    assert_eq!(system.database.rows("SELECT FROM webhook_logs", &[]).await.len(), 4);
    assert_eq!(mailbox.replay(&[]).await, 4);
}

#[tokio::test]
async fn a_success_and_a_collection_at_the_same_moment_leave_no_done_event_open() {
    const EVENTS: usize = 500;
    let system = TestSystem::builder().workers(2).spawn().await;
    let mailbox = Mailbox { system: &system };
    let church = &system.campus.core_church_id;
    let made = system.core.create(church, json!({"full_name": "Budi"}), Webhook::Silent).unwrap();
    let member = made.member.text("id").unwrap();
    let envelopes: Vec<Envelope> = (0..EVENTS)
        .map(|_| mailbox.envelope("member.updated", member, TimeDelta::minutes(1)))
        .collect();
    let (works, dies) = (mailbox.channel().await, mailbox.channel().await);
    for some in envelopes.chunks(25) {
        // The same delivery twice: one is collected as dead while the other is done.
        join_all(some.iter().map(async |envelope| {
            futures_util::future::join(to_work(&works, envelope), to_dead(&dies, envelope)).await
        }))
        .await;
    }
    let resolved = i64::try_from(EVENTS).unwrap();
    mailbox.until_statuses(&[("resolved", resolved)]).await;
    let done = "SELECT FROM webhook_logs WHERE status = 'processed'";
    assert_eq!(system.database.rows(done, &[]).await.len(), EVENTS);
}
