//! Several campuses at once.

use std::time::Duration;

use core_sim::{Endpoint, Fault, FaultKind, Options};
use harness::{TestSystem, eventually};
use serde_json::Value;

use super::night::Night;

const SOON: Duration = Duration::from_mins(1);

/// Campuses of a core's churches, old enough for their nights to be due.
async fn campuses(number: usize, reconcilers: usize) -> Night {
    let churches = Options::churches_of(1, number, 40);
    let mut core = Options { churches: churches.clone(), ..Options::default() };
    core.settings.login_limit = None;
    let builder = TestSystem::builder().gateways(0).workers(0).reconcilers(reconcilers).core(core);
    let system = builder.spawn().await;
    for church in &churches[1..] {
        system.add_campus(church, &[]).await;
    }
    Night { system }
}

const OLD: &str = "UPDATE sync_configs SET scheduled_from = now() - interval '10 days'";

async fn ended(night: &Night) -> Vec<Value> {
    let query = "SELECT * FROM sync_logs WHERE status <> 'in_progress' ORDER BY completed_at";
    night.system.database.rows(query, &[]).await
}

/// How many sessions the reconciler has now.
async fn sessions(night: &Night) -> u64 {
    let query = "SELECT count(*) AS number FROM pg_stat_activity
                 WHERE application_name = 'reconciler' AND datname = current_database()";
    night.system.database.rows(query, &[]).await[0]["number"].as_u64().unwrap()
}

/// The first campus's list hangs until it is told not to.
fn hold_the_first(night: &Night) -> u64 {
    let church = &night.system.campus.core_church_id;
    let slow = FaultKind::Latency { ms: 8000, jitter_ms: 0, stale: false };
    night.system.core.add_fault(Fault::everywhere(slow).at(Endpoint::List).of_church(church))
}

#[tokio::test]
async fn a_slow_core_keeps_no_other_campus_waiting() {
    let night = campuses(4, 1).await;
    let fault = hold_the_first(&night);
    night.execute(OLD).await;
    // Postgres shows a session that was closed until its process has ended: only what is there twice in a row counts.
    let (mut most, mut before) = (0, 0);
    eventually("the three others are done", SOON, async || {
        let now = sessions(&night).await;
        most = now.min(before).max(most);
        before = now;
        ended(&night).await.len() == 3
    })
    .await;
    let slow = night.system.campus.id.as_str();
    assert!(ended(&night).await.iter().all(|run| run["campus_id"] != slow));
    night.system.core.remove_fault(fault);
    eventually("all are done", SOON, async || {
        let now = sessions(&night).await;
        most = now.min(before).max(most);
        before = now;
        ended(&night).await.len() == 4
    })
    .await;
    let runs = ended(&night).await;
    assert!(runs.iter().all(|run| run["status"] == "success"), "{runs:?}");
    assert!(most <= 6, "{most} sessions are more than DATABASE_POOL_SIZE and two");
}

#[tokio::test]
async fn campuses_whose_core_is_away_keep_no_well_one_from_its_night() {
    let night = campuses(4, 1).await;
    let well = night.system.campus.core_church_id.clone();
    for church in Options::churches_of(1, 4, 40).iter().filter(|church| church.id != well) {
        let away = Fault::everywhere(FaultKind::Status { status: 503, retry_after: None });
        night.system.core.add_fault(away.of_church(&church.id));
    }
    night.execute(OLD).await;
    eventually("the well one is done", SOON, async || {
        ended(&night).await.iter().any(|run| run["status"] == "success")
    })
    .await;
    let runs = ended(&night).await;
    let failed = runs.iter().filter(|run| run["status"] == "error");
    assert!(failed.clone().all(|run| run["duration_seconds"].as_f64() < Some(15.0)), "{runs:?}");
}

#[tokio::test]
async fn once_takes_due_campuses_side_by_side_too() {
    let night = campuses(3, 0).await;
    hold_the_first(&night);
    night.execute(OLD).await;
    let reports = night.system.reconcile(&["--once", "--json"]).await.json();
    let last = reports.as_array().unwrap().last().unwrap();
    assert_eq!(reports.as_array().unwrap().len(), 3, "{reports}");
    assert_eq!(last["campus_id"], night.system.campus.id.as_str(), "{reports}");
    for phase in ["fetch", "parse", "copy", "diff", "apply"] {
        assert!(last["phase_seconds"][phase].is_f64(), "{last}");
    }
}
