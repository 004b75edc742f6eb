//! A paused campus: its webhooks are accepted and wait, and nothing of it is fetched or written.

use core_sim::{Endpoint, Fault, FaultKind};
use harness::{TestSystem, eventually};
use serde_json::json;

use super::campus_under_test::{CampusUnderTest, SOON};

#[tokio::test]
async fn events_of_a_paused_campus_wait_uncounted_and_are_worked_on_when_it_is_resumed() {
    let system = TestSystem::builder().variable("RETRY_DELAYS", "1s").spawn().await;
    let campus = CampusUnderTest::first(&system);
    let known = campus.bring(json!({"full_name": "Before"})).await;

    // One that is being fetched when the campus is paused: what the core answers is not written.
    let late = FaultKind::Latency { ms: 7_000, jitter_ms: 0, stale: false };
    let late = system.core.add_fault(Fault::everywhere(late).at(Endpoint::Member));
    campus.change(&known, json!({"full_name": "During"}));
    let asked = system.core.requests(Endpoint::Member);
    let first = campus.post("member.updated", &known).await;
    eventually("the core is asked", SOON, async || system.core.requests(Endpoint::Member) > asked)
        .await;
    system.faithctl(&["campus", "pause", &campus.id]).await.success();
    system.core.remove_fault(late);
    let second = campus.post("member.updated", &known).await;
    for event in [&first, &second] {
        eventually("the event waits", SOON, async || {
            let rows = campus.log(event).await;
            rows.first().is_some_and(|row| row["error"] == "Its campus is paused.")
        })
        .await;
        let row = &campus.log(event).await[0];
        assert_eq!((&row["status"], &row["attempts"]), (&json!("retrying"), &json!(0)), "{row}");
    }
    assert_eq!(campus.member(&known).await["name"], "Before");
    let ping = system.post(&system.campus, &campus.body("ping", &known)).await;
    assert_eq!(ping.status, 200, "{ping:?}");
    eventually("the way can be tested meanwhile", SOON, async || {
        let pings = "SELECT FROM webhook_logs WHERE event_type = 'ping' AND status = 'processed'";
        !system.database.rows(pings, &[]).await.is_empty()
    })
    .await;
    let listed = system.faithctl(&["campus", "list"]).await.success();
    assert!(listed.contains("paused"), "{listed}");
    let shown = system.faithctl(&["campus", "show", &campus.id]).await.success();
    assert!(shown.contains("faithctl campus resume"), "{shown}");

    let refused = system.reconcile(&["--once", "--campus", &campus.id]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("the campus is paused"), "{refused:?}");
    let runs = "SELECT FROM sync_logs";
    assert!(system.database.rows(runs, &[]).await.is_empty(), "no run was begun");
    system.reconcile(&["--once", "--all"]).await.success();
    assert!(system.database.rows(runs, &[]).await.is_empty(), "all does not mean this one");

    system.faithctl(&["campus", "resume", &campus.id]).await.success();
    for event in [&first, &second] {
        assert_eq!(campus.end_of(event).await["status"], "processed");
    }
    assert_eq!(campus.member(&known).await["name"], "During");
    system.reconcile(&["--once", "--campus", &campus.id]).await.success();
}
