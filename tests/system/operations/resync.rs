//! Members fetched anew: by their ids, by past deliveries, and all of a campus.

use core_sim::Webhook;
use harness::{TestSystem, eventually};
use serde_json::{Value, json};

use super::{row, show};
use crate::dead_letters::mailbox::{Mailbox, SOON};

async fn resync(system: &TestSystem, arguments: &[&str]) -> Value {
    let command = [&["members", "resync", "--yes", "--json"][..], arguments].concat();
    system.faithctl(&command).await.json()
}

async fn until_named(system: &TestSystem, member: &str, name: &str) {
    eventually("the member is as the core has it", SOON, async || {
        let query = "SELECT name FROM members WHERE external_member_id = $1";
        let rows = system.database.rows(query, &[&member]).await;
        if rows == [json!({"name": name})] { Ok(()) } else { Err(format!("{rows:?}")) }
    })
    .await;
}

#[tokio::test]
async fn members_are_fetched_anew_the_way_that_events_go_and_the_log_says_who_asked() {
    let system = TestSystem::spawn().await;
    let (core, campus) = (&system.core, &system.campus);
    let create = |name: &str| {
        let fields = json!({"full_name": name});
        let made = core.create(&campus.core_church_id, fields, Webhook::Silent).unwrap();
        made.member.text("id").unwrap().to_owned()
    };
    let rename = |member: &str, name: &str| {
        core.change(member, json!({"full_name": name}), Webhook::Silent).unwrap();
    };
    let (one, other) = (create("One"), create("Other"));

    // By id: the core said nothing of it.
    let would = system
        .faithctl(&["members", "resync", "--campus", &campus.id, "--id", &one, "--dry-run"])
        .await
        .success();
    assert_eq!(would.trim(), "would fetch 1 member");
    let asked = resync(&system, &["--campus", &campus.id, "--id", &one, &other]).await;
    assert_eq!((&asked["matched"], &asked["queued"]), (&json!(2), &json!(2)), "{asked}");
    until_named(&system, &one, "One").await;
    until_named(&system, &other, "Other").await;
    let id = asked["operation_id"].as_str().unwrap();
    let log = "SELECT event_id, event_type, message FROM webhook_logs WHERE member_id = $1";
    let log = system.database.rows(log, &[&one]).await.remove(0);
    assert!(log["event_id"].as_str().unwrap().starts_with(&format!("resync-{id}-")), "{log}");
    assert_eq!(
        (&log["event_type"], &log["message"]),
        (&json!("member.updated"), &json!("Member created: One"))
    );
    assert!(show(&system, id).await["by"].as_str().unwrap().contains('@'));

    // A whole campus: who is here.
    rename(&one, "One again");
    rename(&other, "Other again");
    let whole = resync(&system, &["--campus", &campus.id, "--rate", "500/s"]).await;
    assert_eq!((&whole["matched"], &whole["queued"]), (&json!(2), &json!(2)), "{whole}");
    until_named(&system, &one, "One again").await;
    until_named(&system, &other, "Other again").await;

    // By past deliveries of any status.
    rename(&other, "Other for good");
    let filters = ["--member", &other, "--status", "processed,dead", "--since", "1h"];
    assert_eq!(resync(&system, &filters).await["queued"], 1);
    until_named(&system, &other, "Other for good").await;
    let nobody = ["members", "resync", "--yes", "--status", "stale"];
    assert_eq!(system.faithctl(&nobody).await.code, Some(1));
    assert_eq!(system.faithctl(&["members", "resync", "--yes"]).await.code, Some(2));

    // Whom operations named is taken out of them.
    system.faithctl(&["erase", "--campus", &campus.id, "--member", &one, "--yes"]).await.success();
    assert_eq!(row(&system, id).await["filters"]["member_ids"], json!([other]));

    system.faithctl(&["campus", "pause", &campus.id]).await.success();
    let dry = ["members", "resync", "--dry-run", "--campus", &campus.id];
    let paused = system.faithctl(&dry).await;
    assert!(paused.stderr.contains("is paused"), "{paused:?}");
    system.faithctl(&["campus", "disable", &campus.id]).await.success();
    let disabled = system.faithctl(&dry).await;
    assert_eq!(disabled.code, Some(1), "{disabled:?}");
    assert!(disabled.stderr.contains("is disabled"), "{disabled:?}");
}

#[tokio::test]
async fn by_past_deliveries_the_log_is_read_once_and_not_for_every_batch() {
    let system = TestSystem::builder().gateways(0).spawn().await;
    let mailbox = Mailbox { system: &system };
    let work = mailbox.intercept().await;
    mailbox.fill(100).await;
    let command =
        ["members", "resync", "--status", "dead", "--rate", "25/s", "--yes", "--detach", "--json"];
    let asked = system.faithctl(&command).await.json();
    let id = asked["operation_id"].as_str().unwrap();
    let until_done = async |number: i64| {
        eventually("so many are asked for", SOON, async || {
            let row = row(&system, id).await;
            if row["done"].as_i64() >= Some(number) { Ok(()) } else { Err(row.to_string()) }
        })
        .await;
    };
    until_done(4).await;
    // Nobody reads the log any more.
    let client = system.database.client();
    client.batch_execute("BEGIN; LOCK TABLE webhook_logs IN ACCESS EXCLUSIVE MODE").await.unwrap();
    until_done(60).await;
    client.batch_execute("COMMIT").await.unwrap();
    until_done(100).await;
    eventually("it is done", SOON, async || row(&system, id).await["state"] == "done").await;
    assert_eq!((work.count(), &row(&system, id).await["skipped"]), (100, &json!(0)));
}
