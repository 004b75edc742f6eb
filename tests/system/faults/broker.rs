//! RabbitMQ blocked, frozen and full under load, with workers that have something to send on: senders are
//! told in time, and everything goes on by itself.

use std::time::Duration;

use core_sim::{Endpoint, Fault, FaultKind};
use futures_util::future::join_all;
use harness::{SystemBuilder, TestSystem, eventually};
use queue::{RetryQueue, WORK};
use serde_json::json;
use tokio::time::Instant;

use crate::worker::{
    campus_under_test::CampusUnderTest, load::Load, queue::assert_queues_are_empty,
};

/// The deadline of an answer (interface §2).
const ANSWER_WITHIN: Duration = Duration::from_millis(1500);
/// The length of an alarm itself, no wait for anything.
const ALARM: Duration = Duration::from_secs(6);
/// Longer than anybody keeps a connection that says nothing.
const FROZEN: Duration = Duration::from_secs(25);
const BACK_WITHIN: Duration = Duration::from_mins(1);
const DRAIN: Duration = Duration::from_secs(25);

/// So many that no event fails them all by chance.
const DELAYS: &str = "200ms,300ms,400ms,500ms,600ms,700ms,800ms,900ms";

/// A system whose core does not know a member now and then, so that its events are sent to a delay.
async fn forgetful(builder: SystemBuilder) -> TestSystem {
    let system = builder.spawn().await;
    let unknown = FaultKind::Status { status: 404, retry_after: None };
    system.core.add_fault(Fault::everywhere(unknown).at(Endpoint::Member).with_rate(0.2));
    system
}

/// Runs a load during a disturbance, and asserts that nothing of it was lost and nobody waited.
async fn assert_borne(system: &TestSystem, disturbance: impl AsyncFnOnce()) {
    let load = Load::on(CampusUnderTest::first(system), 40);
    let client = system.database.client();
    let disturbed = async {
        until_done(client, 20).await;
        disturbance().await;
        until_done(client, Load::ended(client).await + 20).await;
    };
    let events = load.run_during(disturbed).await;
    system.core.clear_faults();
    eventually("every event has come to its end", BACK_WITHIN, async || {
        Load::has_arrived(client, &events).await
    })
    .await;
    assert!(load.slowest() < ANSWER_WITHIN, "an answer took {:?}", load.slowest());
    assert!(load.refused() > 0, "the broker was to take nothing");
    for program in ["gateway", "worker"] {
        system.until_ready(program, 0, BACK_WITHIN).await;
    }
    assert_eq!(system.worker(0).terminate(DRAIN).await.unwrap().code(), Some(0));
    load.assert_done_at_last(client, &events).await;
    assert_queues_are_empty(system).await;
}

async fn until_done(client: &tokio_postgres::Client, events: i64) {
    eventually(&format!("{events} events are done"), BACK_WITHIN, async || {
        let done = Load::ended(client).await;
        if done >= events { Ok(()) } else { Err(done.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn an_alarm_of_the_broker_stops_everything_for_its_time_and_loses_nothing() {
    let system =
        forgetful(TestSystem::builder().own_servers().variable("RETRY_DELAYS", DELAYS)).await;
    let broker = &system.servers().rabbitmq;
    assert_borne(&system, async || {
        broker.control(&["set_vm_memory_high_watermark", "0.00001"]).await.unwrap();
        tokio::time::sleep(ALARM).await;
        broker.control(&["set_vm_memory_high_watermark", "0.4"]).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_broker_that_is_frozen_for_long_is_given_up_and_found_again() {
    let system =
        forgetful(TestSystem::builder().own_servers().variable("RETRY_DELAYS", DELAYS)).await;
    let broker = &system.servers().rabbitmq;
    assert_borne(&system, async || {
        broker.freeze();
        tokio::time::sleep(FROZEN).await;
        broker.thaw();
    })
    .await;
}

#[tokio::test]
async fn what_comes_back_from_a_delay_waits_until_a_full_queue_has_room() {
    const DELAYED: usize = 20;
    // Long enough that the queue is full before anything comes back.
    const DELAY: Duration = Duration::from_secs(15);
    let delay = RetryQueue(DELAY).name();
    let system = TestSystem::builder()
        .own_servers()
        .variable("RETRY_DELAYS", "15s")
        .variable("QUEUE_MAX_LENGTH", "30")
        .spawn()
        .await;
    let campus = CampusUnderTest::first(&system);
    let unknown = FaultKind::Status { status: 404, retry_after: None };
    system.core.add_fault(Fault::everywhere(unknown).at(Endpoint::Member));
    let members: Vec<String> =
        (0..DELAYED).map(|n| campus.create(json!({"full_name": format!("Member {n}")}))).collect();
    let mut events =
        join_all(members.iter().map(|member| campus.post("member.created", member))).await;
    eventually("all are delayed", BACK_WITHIN, async || {
        let retrying = "SELECT FROM webhook_logs WHERE status = 'retrying'";
        system.database.rows(retrying, &[]).await.len() == DELAYED
            && system.queue_depth(WORK).await == Some(0)
    })
    .await;
    let delayed_at = Instant::now();
    // It has sent on what it holds when it ends.
    system.worker(0).terminate(DRAIN).await.unwrap();
    loop {
        let answer = system.post(&campus, &campus.body("member.updated", &members[0])).await;
        assert!(answer.took < ANSWER_WITHIN, "{answer:?}");
        if answer.status == 503 {
            break;
        }
        events.push(answer.event_id());
        assert!(events.len() < 100, "the queue is never full");
    }
    // Their delay is over, and there is no room.
    tokio::time::sleep_until(delayed_at + DELAY + Duration::from_secs(2)).await;
    // RabbitMQ counts what waits for room every five seconds.
    let held = async |name: &str, expected: &dyn Fn(usize, usize) -> bool| {
        eventually(name, BACK_WITHIN, async || {
            let list = ["list_queues", "--vhost", system.broker.vhost(), "name", "messages"];
            let listed = system.servers().rabbitmq.control(&list).await.unwrap();
            let of = |queue: &str| {
                let mut lines = listed.lines().filter_map(|line| line.split_once('\t'));
                lines.find(|(name, _)| *name == queue).unwrap().1.parse::<usize>().unwrap()
            };
            let (work, delayed) = (of(WORK), of(&delay));
            if expected(work, delayed) { Ok(()) } else { Err(format!("{work} and {delayed}")) }
        })
        .await;
    };
    // A webhook that nobody had the answer for in time may be there too.
    let some = events.len();
    held("some have no room", &|work, delayed| work + delayed >= some && delayed > 0).await;

    system.core.clear_faults();
    system.start_again("worker", 0).await;
    for event in &events {
        eventually("the event is done", BACK_WITHIN, async || {
            let log = campus.log(event).await;
            let done = log.len() == 1 && log[0]["status"] == "processed";
            if done { Ok(()) } else { Err(format!("{log:?}")) }
        })
        .await;
    }
    system.worker(0).terminate(DRAIN).await.unwrap();
    held("both queues are empty", &|work, delayed| work + delayed == 0).await;
    assert!(system.database.rows("SELECT FROM dead_letters", &[]).await.is_empty());
}
