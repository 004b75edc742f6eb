//! The daemon's nights.

use std::time::Duration;

use core_sim::Options;
use harness::{TestSystem, eventually};
use serde_json::json;

use super::night::{Night, counts};

const SOON: Duration = Duration::from_mins(1);

/// Makes the campus as old as its nights must be to have been missed.
const OLD: &str = "UPDATE sync_configs SET scheduled_from = now() - interval '10 days'";

async fn with_reconcilers(number: usize) -> Night {
    let core = Options { churches: Options::churches_of(1, 1, 60), ..Options::default() };
    let builder = TestSystem::builder().gateways(0).workers(0).reconcilers(number).core(core);
    Night { system: builder.spawn().await }
}

async fn runs(night: &Night) -> Vec<serde_json::Value> {
    night.system.database.rows("SELECT * FROM sync_logs ORDER BY started_at", &[]).await
}

#[tokio::test]
async fn missed_nights_are_one_run_that_one_of_many_reconcilers_makes() {
    let night = with_reconcilers(3).await;
    assert!(runs(&night).await.is_empty(), "a new campus waits for its first night");
    night.execute(OLD).await;
    let version = night.system.database.rows("SELECT version FROM sync_configs", &[]).await;
    eventually("a run has succeeded", SOON, async || {
        runs(&night).await.iter().any(|run| run["status"] == "success")
    })
    .await;
    night.assert_equal().await;
    // Every reconciler has looked again since.
    for index in 0..3 {
        let admin = night.system.admin_url("reconciler", index);
        eventually("the metrics tell of the success", SOON, async || {
            let metrics =
                reqwest::get(format!("{admin}/metrics")).await.unwrap().text().await.unwrap();
            metrics.lines().any(|line| {
                line.starts_with("reconciler_last_success_age_seconds")
                    && line.rsplit(' ').next().and_then(|age| age.parse::<f64>().ok()) < Some(100.0)
            })
        })
        .await;
    }
    let runs = runs(&night).await;
    assert_eq!(runs.len(), 1, "{runs:?}");
    assert_eq!((&runs[0]["sync_type"], counts(&runs[0])[0] > 50), (&json!("reconciliation"), true));
    let config = night.system.database.rows("SELECT * FROM sync_configs", &[]).await.remove(0);
    assert_eq!(config["last_sync_status"], "success");
    assert!(config["last_sync_at"].is_string() && config["last_sync_message"].is_string());
    assert_eq!(config["version"], version[0]["version"], "a run is no change of the configuration");
}

#[tokio::test]
async fn campuses_that_are_switched_off_have_no_nights_but_can_be_named() {
    let night = Night::new(30).await;
    night.execute(OLD).await;
    for switch in [
        &["campus", "set", &night.system.campus.id, "--reconciliation", "off"][..],
        &["campus", "disable", &night.system.campus.id],
    ] {
        night.system.faithctl(switch).await.success();
        assert_eq!(night.system.reconcile(&["--once", "--json"]).await.json(), json!([]));
    }
    assert!(runs(&night).await.is_empty());
    night.pass().await;
    night.assert_equal().await;
}

#[tokio::test]
async fn once_runs_what_is_due_and_nothing_twice() {
    let night = Night::new(30).await;
    assert_eq!(night.system.reconcile(&["--once", "--json"]).await.json(), json!([]));
    night.execute(OLD).await;
    let reports = night.system.reconcile(&["--once", "--json"]).await.json();
    assert_eq!(reports.as_array().map(Vec::len), Some(1), "{reports}");
    assert_eq!(reports[0]["status"], "success");
    assert_eq!(night.system.reconcile(&["--once", "--json"]).await.json(), json!([]));
}

#[tokio::test]
async fn a_run_that_failed_is_due_again_for_whoever_calls_again() {
    let night = Night::new(30).await;
    night.execute(OLD).await;
    let refused = core_sim::FaultKind::NoLogins;
    let fault = night.fault(refused);
    for _ in 0..2 {
        let finished = night.system.reconcile(&["--once", "--json"]).await;
        assert_eq!(finished.code, Some(1), "{finished:?}");
        let reports: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
        assert_eq!(reports[0]["status"], "error", "{reports}");
    }
    night.system.core.remove_fault(fault);
    night.execute("UPDATE core_tokens SET not_before = NULL; DELETE FROM core_logins").await;
    let said = night.system.reconcile(&["--once"]).await.success();
    assert!(said.contains("1 of 1 campus is due."), "{said}");
    let nothing = night.system.reconcile(&["--once"]).await.success();
    assert!(
        nothing
            .starts_with("0 of 1 campus is due. Nothing was compared: `reconciler --once --all`"),
        "{nothing}"
    );
    let all = night.system.reconcile(&["--once", "--all", "--json"]).await.json();
    assert_eq!((all.as_array().map(Vec::len), &all[0]["sync_type"]), (Some(1), &json!("manual")));
}

#[tokio::test]
async fn a_run_under_way_ends_with_its_daemon_and_says_so() {
    let night = with_reconcilers(1).await;
    night.fault(core_sim::FaultKind::Hang);
    night.execute(OLD).await;
    eventually("a run is under way", SOON, async || !runs(&night).await.is_empty()).await;
    let status = night.system.reconciler(0).terminate(Duration::from_secs(25)).await.unwrap();
    assert_eq!(status.code(), Some(0));
    assert_eq!(runs(&night).await[0]["error_message"], "the run was interrupted");
}
