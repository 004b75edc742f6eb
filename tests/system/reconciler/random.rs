//! Short models of nights; long ones: `cargo run -p tests --bin nights -- --minutes 10`.

use chaos::nights::Plan;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_archived_doubled_or_brought_back_by_mistake() {
    // The run prints its seed.
    let plan = Plan { minutes: 0.5, nights: Some(10), seed: None, members: 40 };
    let report = plan.run().await.unwrap_or_else(|error| panic!("{error:#}"));
    assert!(report.settled >= 2, "{report}");
}
