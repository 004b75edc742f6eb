//! Any number of workers on one queue: none knows of the others, and none is missed.

use std::time::Duration;

use core_sim::Endpoint;
use futures_util::future::join;
use harness::{TestSystem, eventually};

use super::{campus_under_test::CampusUnderTest, load::Load, queue::assert_queues_are_empty};

const WORKERS: usize = 20;
const DRAIN: Duration = Duration::from_secs(25);
/// Twenty programs that start on two cores, beside other tests.
const ON_A_BUSY_MACHINE: Duration = Duration::from_mins(2);

#[tokio::test]
async fn twenty_workers_come_and_go_under_load_and_lose_nothing() {
    const CHANGES: usize = 1200;
    let system = TestSystem::builder().workers(WORKERS).spawn().await;
    let campus = CampusUnderTest::first(&system);
    let load = Load::on(campus, 60);
    let client = system.database.client();
    let come_and_go = async {
        for worker in 0..WORKERS / 2 {
            let moment = i64::try_from(CHANGES * worker / WORKERS).unwrap();
            eventually("some events are done", ON_A_BUSY_MACHINE, async || {
                Load::ended(client).await >= moment
            })
            .await;
            if worker % 2 == 0 {
                system.worker(worker).kill();
            } else {
                let ended = system.worker(worker).terminate(DRAIN).await.unwrap();
                assert_eq!(ended.code(), Some(0));
            }
            // Half of those that went come again.
            if worker % 4 < 2 {
                system.start_again("worker", worker).await;
            }
        }
    };
    let (events, ()) = join(load.run(CHANGES), come_and_go).await;
    eventually("every event has come to its end", ON_A_BUSY_MACHINE, async || {
        Load::has_arrived(client, &events).await
    })
    .await;
    assert_eq!(system.core.requests(Endpoint::Login), 1, "one login for all of them");
    for worker in WORKERS / 2..WORKERS {
        assert_eq!(system.worker(worker).terminate(DRAIN).await.unwrap().code(), Some(0));
    }
    for worker in (0..WORKERS / 2).filter(|worker| worker % 4 < 2) {
        assert_eq!(system.worker(worker).terminate(DRAIN).await.unwrap().code(), Some(0));
    }
    load.assert_done(client, &events).await;
    assert_queues_are_empty(&system).await;
}
