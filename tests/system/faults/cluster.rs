//! A cluster of three RabbitMQ nodes that loses the node which leads the work queue, under load. One that loses a node for
//! good is in `documents/broker_node_lost.rs`.

use std::time::Duration;

use chaos::Plan;

/// Seconds here; an election on a machine that runs other tests too may take longer.
const INTAKE_RESUMES_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_accepted_is_lost_with_the_leader_and_intake_resumes_within_seconds() {
    let plan = Plan {
        nodes: 3,
        leaders: true,
        rate: 40,
        gateways: 1,
        workers: 2,
        campuses: 1,
        members: 60,
        rest_within: 100,
        ..Plan::default()
    };
    // It prints how many were accepted and refused, and how long the gaps were.
    let report = plan.run().await.unwrap_or_else(|error| panic!("{error:#}"));
    assert_eq!(report.losses().len(), 3, "{report}");
    for loss in report.losses() {
        assert!(loss.gap < INTAKE_RESUMES_WITHIN && loss.accepted > 0, "{report}");
    }
    assert!(report.accepted() > 100, "{report}");
}
