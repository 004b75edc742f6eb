//! Messages that the broker brings again, because a worker was lost.

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join;
use harness::{TestSystem, eventually};
use queue::WORK;
use rand::RngExt;
use serde_json::json;

use super::{
    campus_under_test::{CampusUnderTest, SOON},
    load::Load,
    queue::{assert_queues_are_empty, publish},
};

const DRAIN: Duration = Duration::from_secs(25);

#[tokio::test]
async fn a_delivery_that_comes_again_after_its_commit_changes_nothing() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let member = campus.create(json!({"full_name": "Budi"}));
    let created = campus.envelope("member.created", &member, TimeDelta::zero());
    let nobody = campus.envelope("member.deleted", "nobody", TimeDelta::zero());
    let mut before = Vec::new();
    for envelope in [&created, &nobody] {
        publish(&system, envelope).await;
        before.push(campus.end_of(&envelope.event_id).await);
    }
    campus.change(&member, json!({"full_name": "Budi Santoso"}));
    for envelope in [&created, &nobody, &created] {
        publish(&system, envelope).await;
    }
    eventually("the worker has them", SOON, async || system.queue_depth(WORK).await == Some(0))
        .await;
    // It has acked what it held when it ends.
    system.worker(0).terminate(DRAIN).await.unwrap();
    assert_queues_are_empty(&system).await;
    for (envelope, before) in [&created, &nobody].into_iter().zip(before) {
        assert_eq!(campus.log(&envelope.event_id).await, [before]);
    }
    assert_eq!(campus.member(&member).await["name"], "Budi");
    assert_eq!(system.core.member_requests(&member), 1);
}

#[tokio::test]
async fn workers_that_are_killed_under_load_lose_and_double_nothing() {
    const CHANGES: usize = 600;
    const KILLS: i64 = 6;
    let system = TestSystem::builder().workers(2).spawn().await;
    let campus = CampusUnderTest::first(&system);
    let load = Load::on(campus, 40);
    let client = system.database.client();
    let kills = async {
        for kill in 0..KILLS {
            // At any moment of the load, and of a commit.
            let moment =
                i64::try_from(CHANGES).unwrap() * kill / KILLS + rand::rng().random_range(1..40);
            eventually("some events are done", Duration::from_secs(30), async || {
                Load::ended(client).await >= moment
            })
            .await;
            let worker = usize::try_from(kill % 2).unwrap();
            system.worker(worker).kill();
            system.start_again("worker", worker).await;
        }
    };
    let (events, ()) = join(load.run(CHANGES), kills).await;
    eventually("every event has come to its end", Duration::from_secs(30), async || {
        Load::has_arrived(client, &events).await
    })
    .await;
    for worker in 0..2 {
        assert_eq!(system.worker(worker).terminate(DRAIN).await.unwrap().code(), Some(0));
    }
    load.assert_done(client, &events).await;
    assert_queues_are_empty(&system).await;
}

#[tokio::test]
async fn copies_of_a_delivery_that_wait_together_are_done_once() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    system.worker(0).terminate(DRAIN).await.unwrap();
    let member = campus.create(json!({"full_name": "Budi"}));
    let envelopes = [
        campus.envelope("member.created", &member, TimeDelta::zero()),
        campus.envelope("member.deleted", "nobody", TimeDelta::zero()),
        campus.envelope("member.updated", "unknown", TimeDelta::zero()),
        campus.envelope("family.updated", "whatever", TimeDelta::zero()),
    ];
    // As after confirms that were lost on their way: the publisher could not know.
    for _ in 0..3 {
        for envelope in &envelopes {
            publish(&system, envelope).await;
        }
    }
    system.start_again("worker", 0).await;
    for (envelope, status) in
        envelopes.iter().zip(["processed", "processed", "retrying", "ignored"])
    {
        eventually("the delivery has its row", SOON, async || {
            let log = campus.log(&envelope.event_id).await;
            assert!(log.len() < 2, "{log:?}");
            let found = log.first().map(|row| row["status"].clone());
            if found == Some(json!(status)) { Ok(()) } else { Err(format!("{log:?}")) }
        })
        .await;
    }
    assert_eq!(campus.member(&member).await["name"], "Budi");
    assert_eq!(system.core.member_requests(&member), 1);
}
