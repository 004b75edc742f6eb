//! RabbitMQ away, frozen, blocked or full: 503 in time, and nothing that was accepted is lost.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use harness::{TestSystem, eventually};

use super::{assert_unavailable, gateway_alone, updated, work_queue};

/// Its return, and the gateway's connection to it, on a busy machine.
const BACK_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test]
async fn what_was_accepted_survives_the_loss_of_the_broker() {
    let system = gateway_alone().own_servers().spawn().await;
    let broker = &system.servers().rabbitmq;
    let killed = AtomicBool::new(false);
    let sender = async || {
        let mut accepted = 0;
        loop {
            // Looked at before the answer, so that the last one came from a broker that was dead.
            let last = killed.load(Ordering::SeqCst);
            let answer = system.post(&system.campus, &updated(&system)).await;
            match answer.status {
                202 => accepted += 1,
                _ => assert_unavailable(&answer),
            }
            if last {
                return accepted;
            }
        }
    };
    let kill = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        broker.kill();
        killed.store(true, Ordering::SeqCst);
    };
    let (first, second, third, ()) = tokio::join!(sender(), sender(), sender(), kill);
    let accepted = first + second + third;
    assert!(accepted > 0);
    eventually("the gateway is not ready", Duration::from_secs(5), async || {
        let url = format!("{}/readyz", system.admin_url("gateway", 0));
        reqwest::get(url).await.unwrap().text().await.unwrap().contains("\"rabbitmq\":")
    })
    .await;
    assert_unavailable(&system.post(&system.campus, &updated(&system)).await);

    broker.start_again().await.unwrap();
    system.until_ready("gateway", 0, Duration::from_secs(10)).await;
    assert_eq!(system.post(&system.campus, &updated(&system)).await.status, 202);
    let kept = work_queue::drain(&system).await.len();
    assert!(kept > accepted, "{accepted} were accepted before, {kept} are there");
}

#[tokio::test]
async fn a_frozen_broker_is_told_in_time() {
    let system = gateway_alone().own_servers().spawn().await;
    let broker = &system.servers().rabbitmq;
    broker.freeze();
    assert_unavailable(&system.post(&system.campus, &updated(&system)).await);
    broker.thaw();
    accepted_again(&system).await;
}

#[tokio::test]
async fn a_broker_with_an_alarm_takes_nothing_and_is_not_waited_for() {
    let system = gateway_alone().own_servers().spawn().await;
    let broker = &system.servers().rabbitmq;
    broker.control(&["set_vm_memory_high_watermark", "0.00001"]).await.unwrap();
    eventually("publishers are blocked", BACK_WITHIN, async || {
        let answer = system.post(&system.campus, &updated(&system)).await;
        if answer.status == 503 {
            assert_unavailable(&answer);
        }
        let url = format!("{}/readyz", system.admin_url("gateway", 0));
        reqwest::get(url).await.unwrap().text().await.unwrap().contains("blocks publishers")
    })
    .await;
    let answer = system.post(&system.campus, &updated(&system)).await;
    assert_unavailable(&answer);
    assert!(answer.took < Duration::from_millis(500), "it is known already: {answer:?}");
    broker.control(&["set_vm_memory_high_watermark", "0.4"]).await.unwrap();
    accepted_again(&system).await;
    system.until_ready("gateway", 0, BACK_WITHIN).await;
}

#[tokio::test]
async fn a_full_queue_is_refused_until_there_is_room() {
    let system = gateway_alone().variable("QUEUE_MAX_LENGTH", "5").spawn().await;
    let mut accepted = 0;
    let refused = loop {
        let answer = system.post(&system.campus, &updated(&system)).await;
        if answer.status != 202 {
            break answer;
        }
        accepted += 1;
        // The broker overshoots its limit slightly.
        assert!(accepted < 50, "the queue is never full");
    };
    assert!(accepted >= 5);
    assert_unavailable(&refused);
    assert_eq!(work_queue::drain(&system).await.len(), accepted);
    accepted_again(&system).await;
}

async fn accepted_again(system: &TestSystem) {
    eventually("an event is accepted again", BACK_WITHIN, async || {
        system.post(&system.campus, &updated(system)).await.status == 202
    })
    .await;
}
