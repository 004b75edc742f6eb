//! Operations that nobody carries out at the moment, and workers that end.

use std::time::Duration;

use harness::{TestSystem, eventually};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::{row, show};
use crate::dead_letters::mailbox::{Mailbox, SOON};

#[tokio::test]
async fn without_a_worker_it_waits_and_says_so() {
    let system = TestSystem::builder().gateways(0).workers(0).spawn().await;
    let mailbox = Mailbox { system: &system };
    mailbox.fill(3).await;
    let before = mailbox.letters().await;
    // One of an older version carries nothing out.
    let old = "INSERT INTO instances (id, program, version, host, started_at, seen_at, state)
               VALUES (gen_random_uuid(), 'worker', '0.9.0', 'old', now(), now() + interval '1 hour', '{\"ready\": true}')";
    system.database.client().batch_execute(old).await.unwrap();
    let watched = mailbox.beside("watched", &["replay", "--yes"]);
    eventually("it says that no worker runs", SOON, async || {
        let said = watched.log_tail(20);
        if said.contains("no worker runs") { Ok(()) } else { Err(said) }
    })
    .await;
    watched.signal(Signal::SIGINT);
    assert_eq!(watched.wait().await.unwrap().code(), Some(130));
    let listed =
        system.faithctl(&["operations", "list", "--state", "waiting", "--json"]).await.json();
    let id = listed[0]["id"].as_str().unwrap();
    let shown = show(&system, id).await;
    assert_eq!((&shown["programs"], &shown["matched"]), (&json!(0), &json!(3)), "{shown}");
    let said = system.faithctl(&["operations", "show", id]).await.success();
    assert!(said.contains("no worker runs"), "{said}");
    assert!(shown["by"].as_str().unwrap().contains('@'), "{shown}");
    // Nobody has to be there to take it back.
    let stopped = system.faithctl(&["operations", "stop", id, "--json"]).await.json();
    assert_eq!(stopped["state"], "stopped");
    assert!(stopped["ended_at"].is_string(), "{stopped}");
    assert_eq!(mailbox.letters().await, before);
}

#[tokio::test]
async fn a_worker_that_ends_leaves_its_operation_to_another_at_once() {
    let system = TestSystem::builder().gateways(0).workers(2).spawn().await;
    let mailbox = Mailbox { system: &system };
    let work = mailbox.intercept().await;
    mailbox.fill(600).await;
    let id = mailbox.ask(&["replay", "--rate", "100/s"]).await;
    let mut holders = Vec::new();
    for worker in [0, 1] {
        let holder = eventually("somebody carries it out", SOON, async || {
            let row = row(&system, &id).await;
            row["lease_by"].as_str().map(str::to_owned)
        })
        .await;
        holders.push(holder);
        system.worker(worker).terminate(Duration::from_secs(25)).await.unwrap();
        let done = row(&system, &id).await["done"].as_i64();
        // Well within the time of a lease.
        eventually("another one goes on", Duration::from_secs(15), async || {
            row(&system, &id).await["done"].as_i64() > done
        })
        .await;
        system.start_again("worker", worker).await;
    }
    system.faithctl(&["operations", "set-rate", &id, "off"]).await.success();
    let ended = eventually("it is done", SOON, async || {
        let row = row(&system, &id).await;
        (row["state"] == "done").then_some(row)
    })
    .await;
    assert_eq!((&ended["done"], &ended["skipped"]), (&json!(600), &json!(0)), "{ended}");
    // In order: nothing was sent twice.
    assert_eq!(work.count(), 600);
}

#[tokio::test]
async fn what_postgres_refuses_is_said_and_tried_again() {
    let system = TestSystem::builder().gateways(0).spawn().await;
    let mailbox = Mailbox { system: &system };
    mailbox.fill(3).await;
    let refuse = "
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not today'; END $$;
        CREATE TRIGGER refuse BEFORE UPDATE ON dead_letters FOR EACH ROW EXECUTE FUNCTION refuse();";
    system.database.client().batch_execute(refuse).await.unwrap();
    let id = mailbox.ask(&["discard", "--note", "x"]).await;
    eventually("it says what is in its way", SOON, async || {
        let row = row(&system, &id).await;
        let is_said = row["error"].as_str().is_some_and(|error| error.contains("not today"));
        if is_said && row["state"] == "running" { Ok(()) } else { Err(row.to_string()) }
    })
    .await;
    system.database.client().batch_execute("DROP TRIGGER refuse ON dead_letters").await.unwrap();
    let ended = eventually("it is done", SOON, async || {
        let row = row(&system, &id).await;
        (row["state"] == "done").then_some(row)
    })
    .await;
    assert_eq!((&ended["done"], &ended["error"]), (&json!(3), &Value::Null), "{ended}");
}
