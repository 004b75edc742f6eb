//! The core as a process of its own, killed and frozen under load.

use std::{cell::Cell, net::SocketAddr, time::Duration};

use core_sim::Endpoint;
use futures_util::future::join;
use harness::{TestSystem, eventually};
use serde_json::{Value, json};
use support::{
    program::{Program, binary},
    servers::keep_or_choose,
};

use crate::worker::{
    campus_under_test::{CampusUnderTest, SOON},
    queue::assert_queues_are_empty,
};

/// The deadline of an answer (interface §2).
const ANSWER_WITHIN: Duration = Duration::from_millis(1500);
/// The lengths of the faults themselves, no waits for anything.
const AWAY: Duration = Duration::from_secs(3);
const FROZEN: Duration = Duration::from_secs(12);
const BACK_WITHIN: Duration = Duration::from_mins(1);
/// The simulated core forgets its tokens when it is killed, and one under a minute old is not replaced.
const AGE_TOKEN: &str = "UPDATE core_tokens SET obtained_at = obtained_at - interval '2 minutes'";
const STEP: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_core_that_is_killed_and_frozen_under_load_delays_events_and_loses_none() {
    let system = TestSystem::builder().variable("RETRY_DELAYS", "500ms,2s").spawn().await;
    let campus = CampusUnderTest::first(&system);
    // The same members as in the test's own core: they follow from the seed.
    let port = keep_or_choose(&system.folder().join("core.port"), None).unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let core = Program::new("core-sim", binary("core-sim").unwrap(), system.folder().path())
        .arguments(["--listen", &address.to_string()]);
    let start = async || {
        core.start().unwrap();
        core.listening(address, SOON).await.unwrap();
    };
    start().await;
    let url = format!("http://{address}");
    let moved = ["campus", "set", &system.campus.id, "--api-base-url", &url];
    system.faithctl(&moved).await.success();
    let members: Vec<String> =
        (0..25).map(|row| system.core.member_id(campus.church_id(), row).unwrap()).collect();

    let over = Cell::new(false);
    let load = async {
        let mut events = 0;
        for member in members.iter().cycle() {
            if over.get() {
                break;
            }
            tokio::time::sleep(STEP).await;
            let body = campus.body("member.updated", member);
            let answer = system.post(&campus, &body).await;
            assert!(answer.status == 202 && answer.took < ANSWER_WITHIN, "{answer:?}");
            events += 1;
        }
        events
    };
    let faults = async {
        until_done(&system, 20).await;
        for _ in 0..2 {
            core.kill();
            core.wait().await;
            campus.execute(AGE_TOKEN).await;
            tokio::time::sleep(AWAY).await;
            start().await;
            until_done(&system, done(&system).await + 20).await;
        }
        core.freeze();
        tokio::time::sleep(FROZEN).await;
        core.thaw();
        until_done(&system, done(&system).await + 20).await;
        over.set(true);
    };
    let (events, ()) = join(load, faults).await;
    until_done(&system, events).await;
    assert_eq!(system.core.requests(Endpoint::Member), 0, "nobody asks the test's own core");

    let undone = "SELECT event_id, status, error FROM webhook_logs WHERE status <> 'processed'";
    assert_eq!(system.database.rows(undone, &[]).await, Vec::<Value>::new());
    assert!(system.database.rows("SELECT FROM dead_letters", &[]).await.is_empty());
    for member in &members {
        let there = system.core.member(member).unwrap();
        assert_eq!(campus.member(member).await["name"], *there.get("full_name").unwrap());
    }
    let renamed = reqwest::Client::new()
        .patch(format!("{url}/control/members/{}?webhook=false", members[0]))
        .body(json!({"full_name": "After everything"}).to_string())
        .send()
        .await
        .unwrap();
    assert!(renamed.status().is_success(), "{renamed:?}");
    campus.sync("member.updated", &members[0]).await;
    assert_eq!(campus.member(&members[0]).await["name"], "After everything");
    system.worker(0).terminate(Duration::from_secs(25)).await.unwrap();
    assert_queues_are_empty(&system).await;
}

async fn done(system: &TestSystem) -> i64 {
    let query = "SELECT count(*) FROM webhook_logs WHERE status = 'processed'";
    system.database.client().query_one(query, &[]).await.unwrap().get(0)
}

async fn until_done(system: &TestSystem, events: i64) {
    eventually(&format!("{events} events are done"), BACK_WITHIN, async || {
        let done = done(system).await;
        if done >= events { Ok(()) } else { Err(done.to_string()) }
    })
    .await;
}
