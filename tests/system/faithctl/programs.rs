//! Which programs run, what they have done and hold, and which fell silent: as they tell it in their rows, and `status` shows.

use std::time::Duration;

use core_sim::{Endpoint, Fault, FaultKind};
use harness::{TestSystem, eventually};
use serde_json::{Value, json};

use crate::worker::campus_under_test::CampusUnderTest;

const SOON: Duration = Duration::from_secs(20);

/// What `status` says of a program's only instance.
async fn told(system: &TestSystem, program: &str) -> Value {
    let status = system.faithctl(&["status", "--json"]).await.json();
    let programs = status["connected"]["programs"].as_array().unwrap().clone();
    let mut found = programs.into_iter().filter(|instance| instance["program"] == program);
    let instance = found.next().unwrap_or_default();
    assert_eq!(found.next(), None);
    instance
}

async fn until(system: &TestSystem, program: &str, pointer: &str, expected: Value) -> Value {
    eventually(&format!("{program} tells {pointer}"), SOON, async || {
        let instance = told(system, program).await;
        let found = instance.pointer(pointer).unwrap_or(&Value::Null);
        if *found == expected { Ok(instance) } else { Err(format!("{instance}")) }
    })
    .await
}

#[tokio::test]
async fn programs_tell_what_they_have_done_and_hold() {
    let system = TestSystem::builder().reconcilers(1).spawn().await;
    let campus = CampusUnderTest::first(&system);
    let member = campus.bring(json!({"full_name": "Budi"})).await;
    campus.sync("member.updated", &member).await;
    let unsigned =
        reqwest::Client::new().post(format!("{}/api/sync/webhook", system.gateway_url()));
    assert_eq!(unsigned.body("{}").send().await.unwrap().status(), 401);

    let gateway = until(&system, "gateway", "/state/refused/missing_signature", json!(1)).await;
    assert_eq!(gateway["state"]["accepted"], 2, "{gateway}");
    assert_eq!((&gateway["state"]["ready"], &gateway["silent"]), (&json!(true), &json!(false)));
    let worker = until(&system, "worker", "/state/settled/done", json!(2)).await;
    let state = &worker["state"];
    assert_eq!(
        (&state["taken"], &state["ended"]),
        (&json!(2), &json!({"processed": 2})),
        "{worker}"
    );
    assert_eq!((&state["held"], &state["breakers"]), (&json!(0), &json!({})), "{worker}");
    assert!(state["last_taken_age"].is_number(), "{worker}");
    assert_eq!(worker["version"], env!("CARGO_PKG_VERSION"), "{worker}");

    // Held, and on its way to the core.
    let late = FaultKind::Latency { ms: 60_000, jitter_ms: 0, stale: false };
    let late = system.core.add_fault(Fault::everywhere(late).at(Endpoint::Member));
    campus.post("member.updated", &member).await;
    let pointer = format!("/state/requests_under_way/{}", campus.id);
    let worker = until(&system, "worker", &pointer, json!(1)).await;
    assert_eq!(worker["state"]["held"], 1, "{worker}");
    system.core.remove_fault(late);

    // A night that the core is slow to begin.
    let late = FaultKind::Latency { ms: 60_000, jitter_ms: 0, stale: false };
    system.core.add_fault(Fault::everywhere(late).at(Endpoint::List));
    campus.execute("UPDATE sync_configs SET scheduled_from = now() - interval '10 days'").await;
    let pointer = format!("/state/runs/{}", campus.id);
    until(&system, "reconciler", &pointer, json!("reading the list")).await;
    let screen = system.faithctl(&["status"]).await.success();
    assert!(screen.contains("\nPrograms\n") && screen.contains("1 run under way"), "{screen}");
}

#[tokio::test]
async fn a_program_that_was_killed_is_silent_and_one_that_ended_is_gone() {
    let system = TestSystem::builder().reconcilers(1).spawn().await;
    until(&system, "reconciler", "/state/ready", json!(true)).await;
    system.reconciler(0).terminate(Duration::from_secs(25)).await.unwrap();
    for (program, killed) in [("gateway", system.gateway(0)), ("worker", system.worker(0))] {
        until(&system, program, "/state/ready", json!(true)).await;
        killed.kill();
        killed.wait().await;
    }
    // As after half a minute.
    let later = "UPDATE instances SET seen_at = seen_at - interval '30 seconds'";
    system.database.client().batch_execute(later).await.unwrap();
    system.reconcile(&["--once"]).await.success();
    for program in ["gateway", "worker"] {
        until(&system, program, "/silent", json!(true)).await;
    }
    assert_eq!(told(&system, "reconciler").await, Value::Null, "it ended in good order");
    let screen = system.faithctl(&["status"]).await.success();
    assert!(screen.contains("silent for"), "{screen}");
    let much_later = "UPDATE instances SET seen_at = seen_at - interval '10 minutes'";
    system.database.client().batch_execute(much_later).await.unwrap();
    system.reconcile(&["--once"]).await.success();
    let left = system.database.rows("SELECT program FROM instances", &[]).await;
    assert_eq!(
        left,
        [json!({"program": "gateway"})],
        "the last gateway's row tells since when there is none"
    );
    assert_eq!(told(&system, "gateway").await, Value::Null);
}
