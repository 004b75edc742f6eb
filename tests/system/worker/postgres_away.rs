//! Postgres away: events are held, and none of their attempts is used up (decision 5).

use std::time::Duration;

use futures_util::future::join;
use harness::{TestSystem, eventually};
use queue::WORK;
use support::servers::StopMode;

use super::{
    campus_under_test::{CampusUnderTest, SOON},
    load::Load,
    queue::assert_queues_are_empty,
};

const DRAIN: Duration = Duration::from_secs(25);

#[tokio::test]
async fn crashes_of_postgres_under_load_lose_nothing_and_use_up_no_attempt() {
    const CHANGES: usize = 600;
    let system = TestSystem::builder().own_servers().workers(2).spawn().await;
    let campus = CampusUnderTest::first(&system);
    let load = Load::on(campus, 40);
    let crashes = async {
        for moment in [20, 200, 400] {
            let client = system.database.connect().await;
            eventually("some events are done", SOON, async || Load::ended(&client).await >= moment)
                .await;
            system.servers().postgres.stop(StopMode::Immediate).await;
            system.servers().postgres.start_again().await.unwrap();
        }
    };
    let (events, ()) = join(load.run(CHANGES), crashes).await;
    let client = system.database.connect().await;
    eventually("every event has come to its end", Duration::from_secs(30), async || {
        Load::has_arrived(&client, &events).await
    })
    .await;
    for worker in 0..2 {
        system.until_ready("worker", worker, SOON).await;
        assert_eq!(system.worker(worker).terminate(DRAIN).await.unwrap().code(), Some(0));
    }
    load.assert_done(&client, &events).await;
    assert_queues_are_empty(&system).await;
}

#[tokio::test]
async fn a_long_absence_of_postgres_empties_the_workers_hands() {
    const CHANGES: usize = 200;
    let system = TestSystem::builder().own_servers().spawn().await;
    let campus = CampusUnderTest::first(&system);
    let load = Load::on(campus, 40);
    system.servers().postgres.stop(StopMode::Immediate).await;
    let events = load.run(CHANGES).await;
    eventually("the worker holds events", SOON, async || {
        system.queue_depth(WORK).await.is_some_and(|waiting| waiting < 100)
    })
    .await;
    eventually("they are back in the queue", Duration::from_secs(100), async || {
        system.queue_depth(WORK).await == Some(u32::try_from(CHANGES).unwrap())
    })
    .await;

    system.servers().postgres.start_again().await.unwrap();
    let client = system.database.connect().await;
    eventually("every event has come to its end", Duration::from_secs(30), async || {
        Load::has_arrived(&client, &events).await
    })
    .await;
    assert_eq!(system.worker(0).terminate(DRAIN).await.unwrap().code(), Some(0));
    load.assert_done(&client, &events).await;
    assert_queues_are_empty(&system).await;
}

#[tokio::test]
async fn a_worker_without_postgres_stops_in_time_and_gives_back_what_it_holds() {
    const CHANGES: usize = 300;
    let system = TestSystem::builder().own_servers().spawn().await;
    let campus = CampusUnderTest::first(&system);
    let load = Load::on(campus, 40);
    system.servers().postgres.stop(StopMode::Immediate).await;
    // The gateway goes on with what it knows.
    let events = load.run(CHANGES).await;
    eventually("the worker holds events", SOON, async || {
        system.queue_depth(WORK).await.is_some_and(|waiting| waiting < 100)
    })
    .await;
    assert_eq!(system.worker(0).terminate(DRAIN).await.unwrap().code(), Some(0));
    assert_eq!(super::drain::assert_none_was_returned(&system).await, CHANGES);

    system.servers().postgres.start_again().await.unwrap();
    system.start_again("worker", 0).await;
    let client = system.database.connect().await;
    eventually("every event has come to its end", Duration::from_secs(30), async || {
        Load::has_arrived(&client, &events).await
    })
    .await;
    assert_eq!(system.worker(0).terminate(DRAIN).await.unwrap().code(), Some(0));
    load.assert_done(&client, &events).await;
    assert_queues_are_empty(&system).await;
}
