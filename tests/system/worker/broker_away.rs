//! RabbitMQ away: what was accepted is on its disks, and is delivered again.

use std::time::Duration;

use futures_util::future::join;
use harness::{
    proxy::{End, Mode, Scope},
    {TestSystem, eventually},
};
use queue::WORK;

use super::{
    campus_under_test::{CampusUnderTest, SOON},
    load::Load,
    queue::assert_queues_are_empty,
};

#[tokio::test]
async fn restarts_and_crashes_of_rabbitmq_under_load_lose_nothing() {
    const CHANGES: usize = 600;
    let system = TestSystem::builder().own_servers().workers(2).spawn().await;
    let campus = CampusUnderTest::first(&system);
    let load = Load::on(campus, 40);
    let client = system.database.client();
    let restarts = async {
        for (moment, crash) in [(50, true), (250, false)] {
            eventually("some events are done", SOON, async || Load::ended(client).await >= moment)
                .await;
            let broker = &system.servers().rabbitmq;
            if crash {
                broker.kill();
            } else {
                broker.stop().await;
            }
            broker.start_again().await.unwrap();
        }
    };
    let (events, ()) = join(load.run(CHANGES), restarts).await;
    eventually("every event has come to its end", Duration::from_mins(2), async || {
        Load::has_arrived(client, &events).await
    })
    .await;
    for worker in 0..2 {
        let drained = system.worker(worker).terminate(Duration::from_secs(25)).await.unwrap();
        assert_eq!(drained.code(), Some(0));
    }
    load.assert_done(client, &events).await;
    assert_queues_are_empty(&system).await;
}

#[tokio::test]
async fn a_worker_that_is_ready_consumes() {
    let system = TestSystem::builder().proxied().spawn().await;
    system.worker(0).kill();
    system.worker(0).wait().await;
    // A while lies between its connection and its consumer.
    let consuming = Scope::sent_by(End::Client).named("worker");
    let latency = Mode::Latency(Duration::from_millis(100));
    system.proxies().worker_to_rabbitmq.set_for(consuming, latency);
    system.start_again("worker", 0).await;
    assert_eq!(system.broker.queue_consumers(WORK).await, Some(1));
}
