//! What a replay and a discard take: by filters or by ids, after a question, and only what is open.

use std::time::{Duration, Instant};

use harness::TestSystem;
use serde_json::{Value, json};

use super::mailbox::{Mailbox, queued};

/// A system with a worker that carries out what is asked for.
async fn with_worker() -> TestSystem {
    TestSystem::builder().gateways(0).spawn().await
}

#[tokio::test]
async fn a_dry_run_says_how_many_and_changes_nothing() {
    let system = with_worker().await;
    let mailbox = Mailbox { system: &system };
    let work = mailbox.intercept().await;
    mailbox.fill(5).await;
    mailbox.fill_unreadable().await;
    let before = mailbox.letters().await;

    let replay = mailbox.run(&["replay", "--dry-run"]).await;
    assert!(replay.stderr.contains("1 cannot be replayed"), "{replay:?}");
    assert_eq!(replay.success().trim(), "would replay 5 dead letters");
    let json = mailbox.run(&["replay", "--dry-run", "--json", "--limit", "2"]).await.json();
    assert_eq!((&json["matched"], &json["replayed"]), (&json!(2), &json!(0)));
    let discard = mailbox.run(&["discard", "--dry-run", "--note", "no use"]).await;
    assert_eq!(discard.success().trim(), "would discard 6 dead letters");
    let one = before[3]["id"].as_str().unwrap();
    let by_id = mailbox.run(&["replay", "--dry-run", "--id", one]).await;
    assert_eq!(by_id.success().trim(), "would replay 1 dead letter");

    assert_eq!(mailbox.letters().await, before);
    let operations = system.database.rows("SELECT FROM operations", &[]).await;
    assert_eq!((work.count(), operations.len()), (0, 0));
}

#[tokio::test]
async fn nothing_is_done_unasked_where_there_is_nobody_to_ask() {
    let system = with_worker().await;
    let mailbox = Mailbox { system: &system };
    mailbox.fill(1).await;
    let before = mailbox.letters().await;
    for command in [&["replay"][..], &["discard", "--note", "no use"], &["restore"]] {
        let refused = mailbox.run(command).await;
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.stderr.contains("--yes"), "{refused:?}");
    }
    let no_note = mailbox.run(&["discard", "--yes"]).await;
    assert_eq!(no_note.code, Some(2), "{no_note:?}");
    for status in ["resolved", "discarded"] {
        let refused = mailbox.run(&["replay", "--yes", "--status", status]).await;
        assert_eq!(refused.code, Some(2), "{refused:?}");
    }
    let refused = mailbox.run(&["restore", "--yes", "--status", "open"]).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    let both = mailbox.run(&["replay", "--yes", "--cause", "poison", "--id", "x"]).await;
    assert_eq!(both.code, Some(2), "{both:?}");
    assert_eq!(mailbox.letters().await, before);
}

#[tokio::test]
async fn only_what_matches_is_replayed_and_a_limit_takes_what_died_first() {
    let system = with_worker().await;
    let mailbox = Mailbox { system: &system };
    let work = mailbox.intercept().await;
    mailbox.fill(10).await;
    let replaying = async || {
        let letters = mailbox.letters().await;
        let events = letters.iter().filter(|letter| letter["status"] == "replaying");
        events.map(|letter| letter["event_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(mailbox.replay(&["--limit", "2", "--status", "open"]).await, 2);
    assert_eq!(replaying().await, ["event-1", "event-2"]);
    let hour =
        "UPDATE dead_letters SET dead_at = now() - interval '1 minute' WHERE event_id = 'event-10'";
    system.database.client().batch_execute(hour).await.unwrap();
    assert_eq!(mailbox.replay(&["--since", "30m"]).await, 1);
    assert_eq!(replaying().await, ["event-1", "event-2", "event-10"]);
    assert_eq!(mailbox.replay(&["--member", "member-5", "--until", "30m"]).await, 1);
    let nothing = mailbox.run(&["replay", "--yes", "--member", "member-5"]).await;
    assert_eq!(nothing.code, Some(1), "{nothing:?}");
    assert_eq!(mailbox.replay(&["--campus", &system.campus.id]).await, 6);
    assert_eq!(work.count(), 10);
}

#[tokio::test]
async fn letters_are_named_by_their_ids_also_those_that_are_on_their_way() {
    let system = with_worker().await;
    let mailbox = Mailbox { system: &system };
    let work = mailbox.intercept().await;
    mailbox.fill(4).await;
    let unreadable = mailbox.fill_unreadable().await;
    let letters = mailbox.letters().await;
    let id = |event: &str| {
        let letter = letters.iter().find(|letter| letter["event_id"] == event);
        letter.unwrap()["id"].as_str().unwrap().to_owned()
    };
    let done = "UPDATE dead_letters SET status = 'resolved' WHERE event_id = 'event-3'";
    system.database.client().batch_execute(done).await.unwrap();

    let (one, two, three) = (id("event-1"), id("event-2"), id("event-3"));
    let nobody = "00000000-0000-0000-0000-000000000000";
    let named =
        ["replay", "--yes", "--json", "--id", &one, &two, "--id", &three, nobody, &unreadable];
    let replayed = mailbox.run(&named).await;
    for words in [
        format!("{three} is left as it is: resolved"),
        format!("there is no dead letter {nobody}"),
        "1 cannot be replayed".to_owned(),
    ] {
        assert!(replayed.stderr.contains(&words), "{replayed:?}");
    }
    assert_eq!(replayed.json()["replayed"], 2);

    // Once more, though they are on their way: by their ids alone.
    assert_eq!(mailbox.replay(&[]).await, 1);
    assert_eq!(mailbox.replay(&["--id", &one]).await, 1);
    let queued = queued(&work);
    let mut counts: Vec<_> = queued
        .iter()
        .map(|queued| (queued.envelope.event_id.as_str(), queued.history.replays))
        .collect();
    // Letters of one batch may pass each other.
    counts.sort_unstable();
    assert_eq!(counts, [("event-1", 1), ("event-1", 2), ("event-2", 1), ("event-4", 1)]);
    let discard = ["discard", "--yes", "--note", "no use", "--id", &one];
    assert_eq!(mailbox.run(&discard).await.code, Some(1), "it is on its way");
    // By how long ago they were sent, too.
    let nothing = mailbox.run(&["replay", "--yes", "--status", "replaying", "--until", "1h"]).await;
    assert_eq!(nothing.code, Some(1), "{nothing:?}");
    let long_ago = "UPDATE dead_letters SET replayed_at = now() - interval '2 hours' WHERE event_id = 'event-4'";
    system.database.client().batch_execute(long_ago).await.unwrap();
    assert_eq!(mailbox.replay(&["--status", "replaying", "--until", "1h"]).await, 1);
}

#[tokio::test]
async fn what_holds_no_event_never_stops_a_replay() {
    let system = with_worker().await;
    let mailbox = Mailbox { system: &system };
    let alone = mailbox.fill_unreadable().await;
    let only = mailbox.run(&["replay", "--yes"]).await;
    assert_eq!(only.code, Some(1), "{only:?}");
    assert!(only.stderr.contains("1 cannot be replayed"), "{only:?}");
    let by_id = mailbox.run(&["replay", "--yes", "--id", &alone]).await;
    assert_eq!(by_id.code, Some(1), "{by_id:?}");

    let _work = mailbox.intercept().await;
    mailbox.fill(3).await;
    // One that looks like an event and is none.
    let broken =
        "UPDATE dead_letters SET envelope = envelope - 'delivery_id' WHERE event_id = 'event-2'";
    system.database.client().batch_execute(broken).await.unwrap();
    let replayed = mailbox.run(&["replay", "--yes"]).await;
    assert!(replayed.stderr.contains("2 cannot be replayed"), "{replayed:?}");
    assert_eq!(replayed.success().trim(), "replayed 2 of 3 dead letters");
    assert_eq!(mailbox.statuses().await, [("open".into(), 2), ("replaying".into(), 2)].into());
}

#[tokio::test]
async fn a_replay_keeps_to_its_rate() {
    let system = with_worker().await;
    let mailbox = Mailbox { system: &system };
    let _work = mailbox.intercept().await;
    mailbox.fill(40).await;
    let began = Instant::now();
    assert_eq!(mailbox.replay(&["--rate", "20/s"]).await, 40);
    // It may take longer on a busy machine, but never less.
    assert!(began.elapsed() >= Duration::from_millis(1_900), "{:?}", began.elapsed());
    for wrong in ["0/s", "20", "20/m"] {
        assert_eq!(mailbox.run(&["replay", "--yes", "--rate", wrong]).await.code, Some(2));
    }
}

#[tokio::test]
async fn a_replay_is_published_anew_with_nothing_tried_yet_and_in_its_trace() {
    let system = with_worker().await;
    let mailbox = Mailbox { system: &system };
    let work = mailbox.intercept().await;
    mailbox.fill(1).await;
    let before = mailbox.letters().await.remove(0);
    assert_eq!(mailbox.replay(&[]).await, 1);
    let after = mailbox.letters().await.remove(0);
    assert_eq!((&after["status"], &after["replay_count"]), (&json!("replaying"), &json!(1)));
    assert!(after["replayed_at"].is_string() && after["resolved_at"] == Value::Null, "{after}");
    assert_eq!((&after["dead_at"], &after["cause"]), (&before["dead_at"], &before["cause"]));

    let queued = queued(&work).remove(0);
    let history = &queued.history;
    assert_eq!((history.failed_attempts(), history.first_failed_at, history.replays), (0, None, 1));
    assert_eq!(queued.envelope.event_id, "event-1");
    assert_eq!(queued.delivery.to_string(), before["id"]);
    let traceparent = queued.traceparent.unwrap();
    assert_eq!(traceparent.split('-').nth(1), before["trace_id"].as_str(), "{traceparent}");
}
