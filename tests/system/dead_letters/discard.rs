//! Giving up: for good, in the letters and in the log.

use std::time::Duration;

use chrono::TimeDelta;
use core_sim::Webhook;
use futures_util::future::join;
use harness::{TestSystem, eventually};
use queue::{DEAD, WORK};
use serde_json::{Value, json};

use super::mailbox::{Mailbox, SOON, to_dead, to_work};

#[tokio::test]
async fn only_open_letters_that_match_are_discarded_with_a_note() {
    let system = TestSystem::builder().gateways(0).spawn().await;
    let mailbox = Mailbox { system: &system };
    mailbox.fill(6).await;
    mailbox.fill_unreadable().await;
    let variety = "
        UPDATE dead_letters SET cause = 'database' WHERE event_id = 'event-1';
        UPDATE dead_letters SET status = 'replaying' WHERE event_id = 'event-2';";
    system.database.client().batch_execute(variety).await.unwrap();
    let discard =
        ["discard", "--yes", "--cause", "member_not_found", "--note", "purged in the core"];
    let said = mailbox.run(&discard).await.success();
    assert_eq!(said.trim(), "discarded 4 of 4 dead letters");
    let letters = mailbox.letters().await;
    for letter in &letters {
        let given_up = !matches!(letter["event_id"].as_str(), None | Some("event-1" | "event-2"));
        assert_eq!(letter["status"] == "discarded", given_up, "{letter}");
        assert_eq!(letter["note"] == "purged in the core", given_up, "{letter}");
        let Some(event) = letter["event_id"].as_str() else { continue };
        let log = mailbox.log(event).await;
        let status = if given_up { "discarded" } else { "dead" };
        assert_eq!(log["status"], status);
        assert_eq!(log["error"], "The core knows no such member.");
        assert_eq!(log["message"] == "purged in the core", given_up, "{log}");
    }
    // What holds no event can be given up too.
    let rest = mailbox.run(&["discard", "--yes", "--json", "--note", "x"]).await.json();
    let (matched, discarded, dry_run) = (&rest["matched"], &rest["discarded"], &rest["dry_run"]);
    assert_eq!((matched, discarded, dry_run), (&json!(2), &json!(2), &json!(false)));
    assert!(rest["operation_id"].is_string(), "{rest}");
    assert_eq!(mailbox.run(&discard).await.code, Some(1));
}

#[tokio::test]
async fn a_discarded_letter_is_opened_again_as_it_was() {
    let system = TestSystem::builder().gateways(0).spawn().await;
    let mailbox = Mailbox { system: &system };
    mailbox.fill(3).await;
    let before = mailbox.letters().await;
    let id = before[0]["id"].as_str().unwrap();
    mailbox.run(&["discard", "--yes", "--note", "by mistake"]).await.success();
    let nothing = mailbox.run(&["restore", "--yes", "--cause", "poison"]).await;
    assert_eq!(nothing.code, Some(1), "{nothing:?}");
    let would = mailbox.run(&["restore", "--dry-run"]).await.success();
    assert_eq!(would.trim(), "would restore 3 dead letters");
    let said = mailbox.run(&["restore", "--yes", "--id", id]).await.success();
    assert_eq!(said.trim(), "restored 1 of 1 dead letter");
    assert_eq!(mailbox.statuses().await, [("discarded".into(), 2), ("open".into(), 1)].into());
    mailbox.run(&["restore", "--yes"]).await.success();
    let mut after = mailbox.letters().await;
    for letter in &mut after {
        assert!(letter["operation_id"].is_string(), "{letter}");
        assert!(letter["opened_at"].is_string(), "{letter}");
        for said in ["operation_id", "opened_at"] {
            letter[said] = Value::Null;
        }
        let log = mailbox.log(letter["event_id"].as_str().unwrap()).await;
        assert_eq!((&log["status"], &log["message"]), (&json!("dead"), &Value::Null));
        assert_eq!(log["error"], "The core knows no such member.");
    }
    assert_eq!(after, before);
    let work = mailbox.intercept().await;
    assert_eq!((mailbox.replay(&[]).await, work.count()), (3, 3));
}

#[tokio::test]
async fn one_that_died_long_ago_can_be_opened_again_for_as_long_as_the_log_is_kept() {
    let system = TestSystem::builder().gateways(0).spawn().await;
    let mailbox = Mailbox { system: &system };
    mailbox.fill(1).await;
    let client = system.database.client();
    let long_ago = "UPDATE dead_letters SET dead_at = now() - interval '1000 days'";
    client.batch_execute(long_ago).await.unwrap();
    mailbox.run(&["discard", "--yes", "--note", "by mistake"]).await.success();
    system.reconcile(&["--once"]).await.success();
    assert_eq!(mailbox.statuses().await, [("discarded".into(), 1)].into());
    mailbox.run(&["restore", "--yes"]).await.success();
    assert_eq!(mailbox.letters().await[0]["discarded_at"], Value::Null);

    mailbox.run(&["discard", "--yes", "--note", "for good"]).await.success();
    let long_ago = "UPDATE dead_letters SET discarded_at = now() - interval '1000 days'";
    client.batch_execute(long_ago).await.unwrap();
    system.reconcile(&["--once"]).await.success();
    assert_eq!(mailbox.letters().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_discarded_letter_stays_discarded_whatever_comes() {
    let system = TestSystem::spawn().await;
    let mailbox = Mailbox { system: &system };
    let church = &system.campus.core_church_id;
    let made = system.core.create(church, json!({"full_name": "Budi"}), Webhook::Silent).unwrap();
    let member = made.member.text("id").unwrap();
    let envelope = mailbox.envelope("member.updated", member, TimeDelta::minutes(1));
    let channel = mailbox.channel().await;
    to_dead(&channel, &envelope).await;
    mailbox.until(&envelope.event_id, "open").await;
    mailbox.run(&["discard", "--yes", "--note", "no use"]).await.success();
    let letter = mailbox.letters().await;
    let log = mailbox.log(&envelope.event_id).await;
    assert_eq!((&log["status"], &letter[0]["status"]), (&json!("discarded"), &json!("discarded")));

    to_work(&channel, &envelope).await;
    to_dead(&channel, &envelope).await;
    for queue in [WORK, DEAD] {
        eventually("it was taken", SOON, async || system.queue_depth(queue).await == Some(0)).await;
    }
    system.worker(0).terminate(Duration::from_secs(25)).await.unwrap();
    assert_eq!(mailbox.letters().await, letter);
    assert_eq!(mailbox.log(&envelope.event_id).await, log);
    for queue in [WORK, DEAD] {
        assert_eq!(system.queue_depth(queue).await, Some(0));
    }
}

#[tokio::test]
async fn a_discard_and_a_success_at_the_same_moment_agree_in_both_tables() {
    const EVENTS: i64 = 400;
    let system = TestSystem::builder().workers(2).spawn().await;
    let mailbox = Mailbox { system: &system };
    let church = &system.campus.core_church_id;
    let made = system.core.create(church, json!({"full_name": "Budi"}), Webhook::Silent).unwrap();
    let member = made.member.text("id").unwrap();
    let envelopes: Vec<_> = (0..EVENTS)
        .map(|_| mailbox.envelope("member.updated", member, TimeDelta::minutes(1)))
        .collect();
    let channel = mailbox.channel().await;
    for envelope in &envelopes {
        to_dead(&channel, envelope).await;
    }
    mailbox.until_statuses(&[("open", EVENTS)]).await;
    let works = async {
        for envelope in &envelopes {
            to_work(&channel, envelope).await;
        }
    };
    let discards = async {
        // Again and again, a few at a time, until there is nothing left to discard.
        let discard = ["discard", "--yes", "--note", "no use", "--limit", "20"];
        while mailbox.run(&discard).await.code == Some(0) {}
    };
    join(works, discards).await;
    eventually("all are settled", SOON, async || {
        let statuses = mailbox.statuses().await;
        statuses.values().sum::<i64>() == EVENTS
            && !statuses.contains_key("open")
            && system.queue_depth(WORK).await == Some(0)
    })
    .await;
    for worker in 0..2 {
        system.worker(worker).terminate(Duration::from_secs(25)).await.unwrap();
    }
    let disagreeing = "SELECT d.status AS letter, l.status AS log FROM dead_letters d JOIN webhook_logs l USING (id)
         WHERE (d.status, l.status) NOT IN (('discarded', 'discarded'), ('resolved', 'processed'))";
    assert_eq!(system.database.rows(disagreeing, &[]).await, Vec::<Value>::new());
}
