//! Runs of the reconciler that an operator asks for.

use core_sim::Webhook;
use harness::{TestSystem, eventually};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use support::program::{Program, binary};

use super::row;
use crate::dead_letters::mailbox::SOON;

async fn request(system: &TestSystem, more: &[&str]) -> Value {
    let command = [&["runs", "request", &system.campus.id, "--json"][..], more].concat();
    system.faithctl(&command).await.json()
}

#[tokio::test]
async fn a_run_is_asked_for_dry_and_in_earnest_and_what_it_held_is_let_through_by_its_number() {
    let system = TestSystem::builder().gateways(0).workers(0).reconcilers(1).spawn().await;
    let members = async || {
        let query = "SELECT external_member_id AS id FROM members WHERE NOT is_archived ORDER BY 1";
        let rows = system.database.rows(query, &[]).await;
        rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let dry = request(&system, &["--dry-run"]).await;
    assert_eq!(
        (&dry["kind"], &dry["state"]),
        (&json!("reconcile_dry_run"), &json!("done")),
        "{dry}"
    );
    assert!(dry["outcome"]["members_created"].as_u64() > Some(0), "{dry}");
    assert!(dry["outcome"].get("changes").is_none(), "{dry}");
    assert_eq!(members().await.len(), 0);

    let run = request(&system, &[]).await;
    assert_eq!(
        (&run["state"], &run["outcome"]["status"]),
        (&json!("done"), &json!("success")),
        "{run}"
    );
    let log = "SELECT sync_type, status FROM sync_logs WHERE id::text = $1";
    let id = run["outcome"]["run"].as_str().unwrap();
    let log = system.database.rows(log, &[&id]).await;
    assert_eq!(log, [json!({"sync_type": "manual", "status": "success"})]);
    let all = members().await;

    // More than the campus allows in a day: held, and let through by the number that was held.
    for member in &all[..12] {
        system.core.delete(member, Webhook::Silent).unwrap();
    }
    let held = request(&system, &[]).await;
    assert_eq!(
        (&held["outcome"]["status"], members().await.len()),
        (&json!("held"), all.len()),
        "{held}"
    );
    let unasked =
        system.faithctl(&["runs", "request", &system.campus.id, "--allow-archive", "12"]).await;
    assert_eq!(unasked.code, Some(2), "{unasked:?}");
    let wrong = ["runs", "request", &system.campus.id, "--allow-archive", "11", "--yes"];
    let wrong = system.faithctl(&wrong).await;
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
    assert!(wrong.stderr.contains("the last held run of this campus held 12"), "{wrong:?}");
    let allowed = request(&system, &["--allow-archive", "12", "--yes"]).await;
    assert_eq!((&allowed["kind"], &allowed["state"]), (&json!("allow_archives"), &json!("done")));
    assert_eq!(members().await.len(), all.len() - 12);
    let by = "SELECT allowed_by FROM sync_logs WHERE allowed_archives = 12";
    assert_eq!(system.database.rows(by, &[]).await, [json!({"allowed_by": allowed["by"]})]);
}

#[tokio::test]
async fn one_whose_campus_is_reconciled_elsewhere_says_so_and_keeps_no_other_waiting() {
    let system = TestSystem::builder().gateways(0).workers(0).reconcilers(1).spawn().await;
    let key = "SELECT pg_advisory_lock(hashtextextended('reconciliation of ' || $1::text, 0))";
    let elsewhere = system.database.connect().await;
    elsewhere.execute(key, &[&system.campus.id]).await.unwrap();
    let detach = ["runs", "request", &system.campus.id, "--dry-run", "--detach", "--json"];
    let id = system.faithctl(&detach).await.json()["id"].as_str().unwrap().to_owned();
    eventually("it says what it waits for", SOON, async || {
        let row = row(&system, &id).await;
        let said = row["error"].as_str().unwrap_or_default();
        if row["state"] == "waiting" && said.contains("under way") {
            Ok(())
        } else {
            Err(row.to_string())
        }
    })
    .await;
    drop(elsewhere);
    eventually("it has its turn", 2 * SOON, async || {
        let row = row(&system, &id).await;
        if row["state"] == "done" { Ok(()) } else { Err(row.to_string()) }
    })
    .await;
}

/// What stands in the way of an end that is to be written down.
const IN_THE_WAY: &str = "
    CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not now'; END $$;
    CREATE TRIGGER in_the_way BEFORE UPDATE ON operations FOR EACH ROW WHEN (NEW.state = 'done')
        EXECUTE FUNCTION fail()";

#[tokio::test]
async fn its_end_is_written_down_as_soon_as_that_is_possible_and_nothing_runs_twice() {
    let system = TestSystem::builder().gateways(0).workers(0).reconcilers(1).spawn().await;
    let client = system.database.client();
    client.batch_execute(IN_THE_WAY).await.unwrap();
    let detach = ["runs", "request", &system.campus.id, "--detach", "--json"];
    let id = system.faithctl(&detach).await.json()["id"].as_str().unwrap().to_owned();
    let runs = "SELECT FROM sync_logs WHERE sync_type = 'manual' AND completed_at IS NOT NULL";
    eventually("it has run", SOON, async || system.database.rows(runs, &[]).await.len() == 1).await;
    client.batch_execute("DROP TRIGGER in_the_way ON operations").await.unwrap();
    eventually("it is done", SOON, async || row(&system, &id).await["state"] == "done").await;
    assert_eq!(system.database.rows(runs, &[]).await.len(), 1);
}

#[tokio::test]
async fn without_a_reconciler_it_waits_and_says_so() {
    let system = TestSystem::builder().gateways(0).workers(0).spawn().await;
    let arguments = ["runs", "request", &system.campus.id];
    let watched = Program::new("watched", binary("faithctl").unwrap(), system.folder().path())
        .arguments(arguments)
        .clean_environment()
        .variables(system.variables(harness::Role::Admin).clone());
    watched.start().unwrap();
    eventually("it says that no reconciler runs", SOON, async || {
        let said = watched.log_tail(20);
        if said.contains("no reconciler runs") { Ok(()) } else { Err(said) }
    })
    .await;
    watched.signal(Signal::SIGINT);
    assert_eq!(watched.wait().await.unwrap().code(), Some(130));
    let waiting = system.database.rows("SELECT id FROM operations", &[]).await.remove(0);
    assert_eq!(row(&system, waiting["id"].as_str().unwrap()).await["state"], "waiting");
}
