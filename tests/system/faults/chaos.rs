//! Short chaos runs; long ones: `cargo run -p tests --bin chaos -- --minutes 60`.

use chaos::Plan;

/// Some thirty faults, on a machine that runs other tests too.
fn short() -> Plan {
    Plan { minutes: 0.5, rate: 60, workers: 3, campuses: 2, members: 60, ..Plan::default() }
}

async fn assert_well(plan: Plan) {
    let report = plan.run().await.unwrap_or_else(|error| panic!("{error:#}"));
    assert!(report.complaints().is_empty(), "{report}");
    assert!(report.accepted() > 100 && report.faults() > 5, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_accepted_is_lost_in_a_chaos_that_is_known() {
    assert_well(Plan { seed: Some(1), ..short() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_accepted_is_lost_in_a_chaos_that_nobody_has_seen_before() {
    // The run prints its seed.
    assert_well(short()).await;
}
