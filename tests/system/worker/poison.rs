//! An event that kills whoever takes it: it must not take the others along.

use std::{fs, time::Duration};

use core_sim::{Endpoint, Fault, FaultKind};
use futures_util::future::join_all;
use harness::{TestSystem, eventually};
use lapin::options::BasicGetOptions;
use serde_json::json;

use super::{
    campus_under_test::{CampusUnderTest, SOON},
    queue::assert_queues_are_empty,
};

/// A restart, and the way of the event back to the worker, on a busy machine.
const ROUND: Duration = Duration::from_secs(30);
/// More than the delivery limit, should one be used up in vain.
const MOST_KILLS: usize = 30;

#[tokio::test]
async fn an_event_that_kills_workers_dies_alone() {
    let system = TestSystem::spawn().await;
    let members: Vec<String> = {
        let campus = CampusUnderTest::first(&system);
        (0..31).map(|n| campus.create(json!({"full_name": format!("Member {n}")}))).collect()
    };
    let (poison, innocent) = members.split_first().unwrap();
    // Whoever works on it is killed while it waits for the core, and so are the others that wait.
    for member in &members {
        let fault = Fault::everywhere(FaultKind::Hang).at(Endpoint::Member).of_member(member);
        system.core.add_fault(if member == poison { fault } else { fault.with_times(4) });
    }
    let campus = CampusUnderTest::first(&system);
    let event = campus.post("member.created", poison).await;
    let others = join_all(innocent.iter().map(|id| campus.post("member.created", id))).await;

    let (mut kills, mut asked) = (0, 0);
    loop {
        let is_dead = eventually("the event is under way again, or dead", ROUND, async || {
            let letters = system.database.rows("SELECT FROM dead_letters", &[]).await;
            match (letters.is_empty(), system.core.member_requests(poison) > asked) {
                (false, _) => Some(true),
                (true, true) => Some(false),
                (true, false) => None,
            }
        })
        .await;
        if is_dead {
            break;
        }
        kills += 1;
        assert!(kills < MOST_KILLS, "it is worked on again and again");
        system.worker(0).kill();
        asked = system.core.member_requests(poison);
        system.start_again("worker", 0).await;
    }

    let campus = CampusUnderTest::first(&system);
    let letter = campus.dead_letter(&event).await;
    assert_eq!((&letter["cause"], &letter["status"]), (&json!("poison"), &json!("open")));
    assert_eq!(campus.end_of(&event).await["status"], "dead");
    system.core.clear_faults();
    for other in &others {
        assert_eq!(campus.end_of(other).await["status"], "processed");
    }
    eventually("nothing is left in the queues", SOON, async || {
        system.queue_depth(queue::WORK).await == Some(0)
    })
    .await;
    assert_queues_are_empty(&system).await;
    assert_eq!(campus.sync("member.updated", poison).await["status"], "processed");
}

/// A broker that was restarted again and again brings all that workers held too often, and none of it kills anybody.
#[tokio::test]
async fn suspects_are_worked_through_without_beginning_anew_for_each() {
    const SUSPECTS: usize = 60;
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    system.worker(0).terminate(ROUND).await.unwrap();
    let members: Vec<String> = (0..SUSPECTS)
        .map(|number| campus.create(json!({"full_name": format!("Member {number}")})))
        .collect();
    let events = join_all(members.iter().map(|id| campus.post("member.created", id))).await;
    for _ in 0..5 {
        let channel = system.broker.channel().await;
        for _ in 0..SUSPECTS {
            let taken = channel.basic_get(queue::WORK.into(), BasicGetOptions::default()).await;
            assert!(taken.unwrap().is_some(), "all are there");
        }
        channel.close(200, "lost".into()).await.unwrap();
        eventually("they are back", SOON, async || {
            system.queue_depth(queue::WORK).await == u32::try_from(SUSPECTS).ok()
        })
        .await;
    }
    let consumed = || {
        let log = fs::read_to_string(system.worker(0).log()).unwrap();
        [r#""message":"consuming""#, "is worked on alone"].map(|words| log.matches(words).count())
    };
    let before = consumed();
    system.start_again("worker", 0).await;
    for event in &events {
        assert_eq!(campus.end_of(event).await["status"], "processed");
    }
    let [times, alone] = [0, 1].map(|place| consumed()[place] - before[place]);
    assert_eq!(alone, SUSPECTS);
    assert!(times <= 3, "consumed {times} times");
}
