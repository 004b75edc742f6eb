//! The orderly end.

use std::time::{Duration, Instant};

use harness::eventually;
use nix::sys::signal::Signal;

use super::{
    gateway_alone, only_published, updated,
    wire::{Wire, signed},
    work_queue,
};

#[tokio::test]
async fn what_is_in_flight_is_answered_before_the_end() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let system = gateway_alone().spawn().await;
        let (head, body) = signed(&system, &updated(&system));
        let mut idle = Wire::connect(&system).await;
        idle.send([&head[..], &body].concat()).await;
        assert!(idle.answer().await.starts_with("HTTP/1.1 202 "));
        let mut in_flight = Wire::connect(&system).await;
        in_flight.send([&head[..], &body[..20]].concat()).await;

        system.gateway(0).signal(signal);
        let readyz = format!("{}/readyz", system.admin_url("gateway", 0));
        eventually("it is not ready", Duration::from_secs(5), async || {
            let answer = reqwest::get(&readyz).await.unwrap();
            answer.status() == 503
                && answer.text().await.unwrap()
                    == r#"{"ready":false,"reasons":{"shutdown":"draining"}}"#
        })
        .await;
        eventually("it accepts no more", Duration::from_secs(5), async || {
            Wire::try_connect(&system).await.is_err()
        })
        .await;
        idle.closed().await;
        assert_eq!(system.gateway(0).ended(), None);

        in_flight.send(&body[20..]).await;
        let answer = in_flight.answer().await;
        assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
        assert!(answer.contains("connection: close\r\n"), "{answer}");
        let ended = tokio::time::timeout(Duration::from_secs(10), system.gateway(0).wait()).await;
        assert_eq!(ended.unwrap().unwrap().code(), Some(0));
        assert_eq!(work_queue::drain(&system).await.len(), 2);
        let log = system.gateway(0).log_tail(10);
        assert!(!log.contains("ERROR"), "{log}");
    }
}

#[tokio::test]
async fn a_sender_that_never_ends_does_not_hold_the_end_up() {
    let system = gateway_alone().spawn().await;
    let (head, body) = signed(&system, &updated(&system));
    let mut wire = Wire::connect(&system).await;
    wire.send(&head).await;
    let start = Instant::now();
    system.gateway(0).signal(Signal::SIGTERM);
    // Never stalled, never finished.
    for byte in body.iter().take(body.len() - 1) {
        if wire.try_send([*byte]).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let ended = tokio::time::timeout(Duration::from_secs(30), system.gateway(0).wait()).await;
    assert_eq!(ended.unwrap().unwrap().code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(40));
    assert_eq!(work_queue::drain(&system).await.len(), 0);
}

#[tokio::test]
async fn an_open_connection_may_begin_a_last_request() {
    let system = gateway_alone().spawn().await;
    let (head, body) = signed(&system, &updated(&system));
    let mut wire = Wire::connect(&system).await;
    // Begun before the signal, its first byte sent after it.
    system.gateway(0).signal(Signal::SIGTERM);
    wire.send([head, body].concat()).await;
    assert!(wire.answer().await.starts_with("HTTP/1.1 202 "));
    wire.closed().await;
    assert_eq!(system.gateway(0).wait().await.unwrap().code(), Some(0));
    only_published(&system).await;
}
