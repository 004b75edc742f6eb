//! Events that found no queue: kept in `member-events.unrouted`, and sent on their way again.

use chrono::TimeDelta;
use harness::{TestSystem, eventually};
use lapin::types::FieldTable;
use queue::{EXCHANGE, UNROUTED, WORK};
use serde_json::json;

use super::{
    campus_under_test::{CampusUnderTest, SOON},
    queue::{assert_queues_are_empty, publish},
};

#[tokio::test]
async fn an_event_without_a_way_to_its_queue_arrives_nonetheless() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let member = campus.create(json!({"full_name": "Budi"}));
    let channel = system.broker.channel().await;
    channel
        .queue_unbind(WORK.into(), EXCHANGE.into(), WORK.into(), FieldTable::default())
        .await
        .unwrap();

    // Through the gateway, and with a history that must not be lost on the way.
    let answer = campus.post("member.created", &member).await;
    let old = campus.envelope("member.deleted", &member, TimeDelta::minutes(1));
    publish(&system, &old).await;

    assert_eq!(campus.end_of(&answer).await["message"], "Member created: Budi");
    campus.end_of(&old.event_id).await;
    eventually("nothing is unrouted any more", SOON, async || {
        system.queue_depth(UNROUTED).await == Some(0)
    })
    .await;
    assert_queues_are_empty(&system).await;
}
