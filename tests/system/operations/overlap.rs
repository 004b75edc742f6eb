//! Several operations at once, on the same letters and on others.

use futures_util::future::join;
use harness::{TestSystem, eventually};
use serde_json::json;

use super::{row, show};
use crate::dead_letters::mailbox::{Mailbox, SOON};

#[tokio::test]
async fn a_double_click_makes_one() {
    let system = TestSystem::builder().gateways(0).spawn().await;
    let mailbox = Mailbox { system: &system };
    let work = mailbox.intercept().await;
    mailbox.fill(200).await;
    let request = "7f1c2a4e-3f57-4e0e-8d5c-0a4f8a8f9d11";
    let click =
        async || mailbox.run(&["replay", "--yes", "--json", "--request-id", request]).await.json();
    let (one, other) = join(click(), click()).await;
    assert_eq!(one["operation_id"], other["operation_id"]);
    assert_eq!((&one["replayed"], &other["replayed"]), (&json!(200), &json!(200)));
    assert_eq!(system.database.rows("SELECT FROM operations", &[]).await.len(), 1);
    assert_eq!(work.count(), 200);
    // Also later, when nothing is left to ask for; by another command it is a mistake.
    assert_eq!(click().await["operation_id"], one["operation_id"]);
    for other in [&["discard", "--note", "x"][..], &["restore"]] {
        let other = [other, &["--yes", "--request-id", request]].concat();
        let refused = mailbox.run(&other).await;
        assert_eq!(refused.code, Some(2), "{refused:?}");
    }
    assert_eq!(system.database.rows("SELECT FROM operations", &[]).await.len(), 1);
}

#[tokio::test]
async fn who_is_about_the_same_letters_waits_and_who_is_about_others_does_not() {
    // One worker, which carries out several side by side.
    let system = TestSystem::builder().gateways(0).spawn().await;
    let mailbox = Mailbox { system: &system };
    let _work = mailbox.intercept().await;
    mailbox.fill(300).await;
    let others = "UPDATE dead_letters SET cause = 'database' WHERE event_id LIKE 'event-1%'";
    system.database.client().batch_execute(others).await.unwrap();
    let slow = mailbox.ask(&["replay", "--cause", "member_not_found", "--rate", "5/s"]).await;
    eventually("it is under way", SOON, async || row(&system, &slow).await["state"] == "running")
        .await;
    // Of the same cause, by its id, and all: each has letters of the first.
    let letters = mailbox.letters().await;
    let one = letters.iter().rfind(|letter| letter["cause"] == "member_not_found").unwrap();
    let by_id = mailbox.ask(&["discard", "--note", "x", "--id", one["id"].as_str().unwrap()]).await;
    let all = mailbox.ask(&["replay"]).await;
    let waits = show(&system, &by_id).await;
    assert_eq!((&waits["state"], &waits["waits_for"]), (&json!("waiting"), &json!([slow])));
    assert_eq!(show(&system, &all).await["waits_for"], json!([slow, by_id]));
    let said = system.faithctl(&["operations", "show", &by_id]).await.success();
    assert!(said.contains("waits for") && said.contains(&slow), "{said}");
    system.faithctl(&["operations", "stop", &all]).await.success();

    // Of another cause: at once.
    assert_eq!(mailbox.replay(&["--cause", "database"]).await, 111);
    assert_eq!(row(&system, &slow).await["state"], "running");
    system.faithctl(&["operations", "stop", &slow]).await.success();
    eventually("the other one has its turn", SOON, async || {
        row(&system, &by_id).await["state"] == "done"
    })
    .await;
    assert_eq!(mailbox.until(one["event_id"].as_str().unwrap(), "discarded").await["note"], "x");
    assert_eq!(row(&system, &all).await["state"], "stopped");
    let listed =
        system.faithctl(&["operations", "list", "--kind", "replay", "--json"]).await.json();
    assert_eq!(listed.as_array().unwrap().len(), 3, "{listed}");
}

#[tokio::test]
async fn letters_that_die_again_are_counted_by_cause_and_not_taken_again() {
    // A disabled campus: each event is dead again at once.
    let system = TestSystem::builder().gateways(0).spawn().await;
    let mailbox = Mailbox { system: &system };
    system.faithctl(&["campus", "disable", &system.campus.id]).await.success();
    mailbox.fill(50).await;
    let id = mailbox.ask(&["replay", "--rate", "50/s"]).await;
    let ended = eventually("all have died again", SOON, async || {
        let shown = show(&system, &id).await;
        let is_over = shown["state"] == "done" && shown["outcomes"]["open"]["sync_disabled"] == 50;
        if is_over { Ok(shown) } else { Err(shown.to_string()) }
    })
    .await;
    assert_eq!((&ended["done"], &ended["died_since"]), (&json!(50), &json!(0)), "{ended}");
    let again = "SELECT FROM dead_letters WHERE replay_count <> 1";
    assert_eq!(system.database.rows(again, &[]).await.len(), 0);
    // What died since it was asked for is left for the next, and said.
    let later = "
        INSERT INTO dead_letters (id, event_id, cause, reason, attempts, envelope)
        VALUES (gen_random_uuid(), 'later', 'poison', 'x', 1, '{\"schema_version\": 1}')";
    system.database.client().batch_execute(later).await.unwrap();
    let said = system.faithctl(&["operations", "show", &id]).await.success();
    for words in ["50 failed again and are open: sync_disabled 50", "1 more died since"] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[tokio::test]
async fn who_was_asked_before_a_letter_was_sent_does_not_send_it_once_more() {
    let system = TestSystem::builder().gateways(0).spawn().await;
    let mailbox = Mailbox { system: &system };
    let work = mailbox.intercept().await;
    mailbox.fill(20).await;
    let letters = mailbox.letters().await;
    let last = letters[19]["id"].as_str().unwrap();
    // The second waits for the first, which sends the letter.
    let all = mailbox.ask(&["replay", "--rate", "1/s"]).await;
    let same = mailbox.ask(&["replay", "--id", last]).await;
    system.faithctl(&["operations", "set-rate", &all, "off"]).await.success();
    for id in [&all, &same] {
        eventually("it is done", SOON, async || row(&system, id).await["state"] == "done").await;
    }
    assert_eq!(row(&system, &all).await["done"], 20);
    let late = row(&system, &same).await;
    assert_eq!((&late["done"], &late["skipped"]), (&json!(0), &json!(1)), "{late}");
    assert_eq!(work.count(), 20);
    // Who is asked afterwards means it.
    assert_eq!(mailbox.replay(&["--id", last]).await, 1);
    assert_eq!(
        mailbox.until(letters[19]["event_id"].as_str().unwrap(), "replaying").await["replay_count"],
        2
    );
}

#[tokio::test]
async fn what_a_restore_opens_is_left_by_who_had_not_counted_it() {
    let system = TestSystem::builder().gateways(0).spawn().await;
    let mailbox = Mailbox { system: &system };
    let work = mailbox.intercept().await;
    mailbox.fill(100).await;
    let id = mailbox.ask(&["replay", "--rate", "5/s"]).await;
    system.faithctl(&["operations", "pause", &id]).await.success();
    eventually("nobody carries it out", SOON, async || {
        row(&system, &id).await["lease_by"].is_null()
    })
    .await;
    let sent = row(&system, &id).await["done"].as_i64().unwrap();
    mailbox.run(&["discard", "--yes", "--note", "by mistake"]).await.success();
    mailbox.run(&["restore", "--yes"]).await.success();
    system.faithctl(&["operations", "set-rate", &id, "off"]).await.success();
    system.faithctl(&["operations", "resume", &id]).await.success();
    let ended = eventually("it is done", SOON, async || {
        let row = row(&system, &id).await;
        (row["state"] == "done").then_some(row)
    })
    .await;
    assert_eq!((&ended["done"], &ended["skipped"]), (&json!(sent), &json!(100 - sent)), "{ended}");
    assert_eq!(mailbox.statuses().await["open"], 100 - sent);
    assert_eq!(i64::try_from(work.count()).unwrap(), sent);
    assert_eq!(mailbox.replay(&[]).await, u64::try_from(100 - sent).unwrap());
}
