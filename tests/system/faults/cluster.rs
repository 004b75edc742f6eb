//! A cluster of three RabbitMQ nodes that loses the node which leads the work queue, under load, and one
//! that loses a node for good.

use std::time::Duration;

use chaos::Plan;
use futures_util::future::join_all;
use harness::{TestSystem, eventually};
use queue::WORK;
use serde_json::json;

use crate::worker::{
    campus_under_test::{CampusUnderTest, SOON},
    queue::assert_queues_are_empty,
};

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

/// By the commands of `deploy/runbooks/broker-lost.md`.
#[tokio::test]
async fn a_node_that_is_lost_for_good_is_replaced_and_nothing_with_it() {
    const EVENTS: usize = 50;
    let system = TestSystem::builder().cluster(3).spawn().await;
    let campus = CampusUnderTest::first(&system);
    system.worker(0).terminate(Duration::from_secs(25)).await.unwrap();
    let members: Vec<String> =
        (0..EVENTS).map(|n| campus.create(json!({"full_name": format!("Member {n}")}))).collect();
    let events = join_all(members.iter().map(|id| campus.post("member.created", id))).await;

    let servers = system.servers();
    let (alive, other, lost) = (&servers.rabbitmq, &servers.peers[0], &servers.peers[1]);
    lost.kill();
    alive.control(&["forget_cluster_node", lost.name()]).await.unwrap();
    let new = alive.start_peer(servers.folder(), 4).await.unwrap();
    let status = async || {
        let vhost = ["--vhost", system.broker.vhost()];
        alive.queues(&[&["quorum_status", WORK], &vhost[..]].concat()).await.unwrap()
    };
    assert!(!status().await.contains(lost.name()), "it was forgotten: {}", status().await);
    let grown = alive.queues(&["grow", new.name(), "all"]).await.unwrap();
    assert!(grown.lines().any(|line| line.ends_with("3\tok") && line.contains(WORK)), "{grown}");
    eventually("the new member has caught up", SOON, async || {
        let status = status().await;
        let members = ["leader", "follower"].map(|state| status.matches(state).count());
        let well = members == [1, 2] && status.contains(new.name());
        if well { Ok(()) } else { Err(status) }
    })
    .await;

    // What only the first three had could not be read any more.
    other.kill();
    system.start_again("worker", 0).await;
    for event in &events {
        assert_eq!(campus.end_of(event).await["status"], "processed");
    }
    system.worker(0).terminate(Duration::from_secs(25)).await.unwrap();
    assert_queues_are_empty(&system).await;
}
