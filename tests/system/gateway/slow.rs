//! Senders that keep the gateway waiting. All at once, since the waiting is real.

use std::time::{Duration, Instant};

use harness::TestSystem;

use super::{
    gateway_alone, updated,
    wire::{Wire, head, signed},
    work_queue,
};

#[tokio::test]
async fn slow_senders_are_cut_off_and_others_are_not() {
    let system = gateway_alone().spawn().await;
    tokio::join!(
        a_head_that_never_comes(&system),
        a_head_that_trickles(&system),
        a_body_that_stalls(&system),
        a_body_that_takes_its_time(&system),
        an_idle_connection_that_goes_on(&system),
        an_idle_connection_that_goes_on_after_an_early_answer(&system),
    );
    assert_eq!(work_queue::drain(&system).await.len(), 4);
}

async fn a_head_that_never_comes(system: &TestSystem) {
    assert_about(Wire::connect(system).await.closed().await, 10);
}

async fn a_head_that_trickles(system: &TestSystem) {
    let start = Instant::now();
    let mut wire = Wire::connect(system).await;
    for byte in head(10).bytes() {
        if wire.try_send([byte]).await.is_err() || start.elapsed().as_secs() > 30 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_about(start.elapsed(), 10);
}

async fn a_body_that_stalls(system: &TestSystem) {
    let (head, body) = signed(system, &updated(system));
    let mut wire = Wire::connect(system).await;
    wire.send([&head[..], &body[..10]].concat()).await;
    let start = Instant::now();
    let answer = wire.answer().await;
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
    assert!(answer.contains("content-type: application/json\r\n"), "{answer}");
    assert_about(start.elapsed(), 10);
    wire.closed().await;
}

async fn a_body_that_takes_its_time(system: &TestSystem) {
    let (head, body) = signed(system, &updated(system));
    let mut wire = Wire::connect(system).await;
    wire.send(head).await;
    for piece in body.chunks(body.len() / 4) {
        tokio::time::sleep(Duration::from_secs(4)).await;
        wire.send(piece).await;
    }
    assert!(wire.answer().await.starts_with("HTTP/1.1 202 "));
}

async fn an_idle_connection_that_goes_on(system: &TestSystem) {
    let (head, body) = signed(system, &updated(system));
    let mut wire = Wire::connect(system).await;
    for pause in [0, 15] {
        tokio::time::sleep(Duration::from_secs(pause)).await;
        wire.send([&head[..], &body].concat()).await;
        assert!(wire.answer().await.starts_with("HTTP/1.1 202 "));
    }
}

async fn an_idle_connection_that_goes_on_after_an_early_answer(system: &TestSystem) {
    const LENGTH: usize = 1_000_000;
    let mut wire = Wire::connect(system).await;
    wire.send(format!("{}\r\n", head(LENGTH))).await;
    wire.send(vec![b'x'; LENGTH]).await;
    assert!(wire.answer().await.starts_with("HTTP/1.1 401 "));
    tokio::time::sleep(Duration::from_secs(15)).await;
    let (head, body) = signed(system, &updated(system));
    wire.send([&head[..], &body].concat()).await;
    assert!(wire.answer().await.starts_with("HTTP/1.1 202 "));
}

/// Within the seconds that the gateway waits, and a few more on a busy machine.
#[track_caller]
fn assert_about(took: Duration, seconds: u64) {
    let allowed = Duration::from_secs(seconds)..Duration::from_secs(seconds + 5);
    assert!(allowed.contains(&(took + Duration::from_millis(100))), "{took:?}");
}
