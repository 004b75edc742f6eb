//! `broker-lost.md`: a node of three is lost for good, and replaced.

use std::time::Duration;

use futures_util::future::join_all;
use harness::{TestSystem, eventually};
use queue::WORK;
use serde_json::json;
use support::servers::RabbitMq;

use super::{
    shell::{Shell, of_node},
    walk::Walk,
};
use crate::worker::{
    campus_under_test::{CampusUnderTest, SOON},
    queue::assert_queues_are_empty,
};

const EVENTS: usize = 50;

/// RabbitMQ's commands reach this node from here on.
fn be_at(shell: &Shell, node: &RabbitMq) {
    let environment = of_node(&node.control_environment().unwrap());
    shell.program("rabbitmqctl", &environment, "exec \"$RABBITMQCTL\" --quiet");
    shell.program("rabbitmq-queues", &environment, "exec \"$RABBITMQ_QUEUES\" --quiet");
}

#[tokio::test]
async fn a_node_that_is_lost_for_good_is_replaced_and_nothing_with_it() {
    let system = TestSystem::builder().cluster(3).spawn().await;
    let campus = CampusUnderTest::first(&system);
    system.worker(0).terminate(Duration::from_secs(25)).await.unwrap();
    let members: Vec<String> =
        (0..EVENTS).map(|n| campus.create(json!({"full_name": format!("Member {n}")}))).collect();
    let events = join_all(members.iter().map(|id| campus.post("member.created", id))).await;

    let servers = system.servers();
    let (alive, other, lost) = (&servers.rabbitmq, &servers.peers[0], &servers.peers[1]);
    lost.kill();
    let new = alive.start_stranger(servers.folder(), 4).await.unwrap();
    let shell = Shell::of(&system)
        .meaning("--vhost faithtracker", &format!("--vhost {}", system.broker.vhost()))
        .meaning("rabbit@lost", lost.name())
        .meaning("rabbit@alive", alive.name())
        .meaning("rabbit@new", new.name());
    be_at(&shell, alive);
    let mut walk = Walk::of("deploy/runbooks/broker-lost.md");
    let look = walk.next_despite_fault(&shell).await;
    assert!(look[3].stdout.contains(lost.name()), "{look:#?}");
    walk.next(&shell).await;
    be_at(&shell, &new);
    walk.next(&shell).await;
    be_at(&shell, alive);
    let grown = walk.next(&shell).await;
    let is_grown = |line: &str| line.ends_with("3\tok") && line.contains(WORK);
    assert!(grown[0].stdout.lines().any(is_grown), "{grown:#?}");
    eventually("the new member has caught up", SOON, async || {
        let vhost = ["--vhost", system.broker.vhost()];
        let status = alive.queues(&[&["quorum_status", WORK], &vhost[..]].concat()).await.unwrap();
        let members = ["leader", "follower"].map(|state| status.matches(state).count());
        let is_well =
            members == [1, 2] && status.contains(new.name()) && !status.contains(lost.name());
        if is_well { Ok(()) } else { Err(status) }
    })
    .await;

    // What only the first three had could not be read any more.
    other.kill();
    system.start_again("worker", 0).await;
    for event in &events {
        assert_eq!(campus.end_of(event).await["status"], "processed");
    }
    walk.next(&shell).await;
    walk.end();
    system.worker(0).terminate(Duration::from_secs(25)).await.unwrap();
    assert_queues_are_empty(&system).await;
}
