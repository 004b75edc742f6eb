//! Bodies as they arrive: in pieces, announced, too large, and answered before they have ended.

use futures_util::future::join_all;

use super::{
    gateway_alone,
    wire::{Wire, head, signed},
};
use crate::gateway::{only_published, updated, work_queue};

#[tokio::test]
async fn an_early_answer_reaches_a_sender_that_first_sends_everything() {
    let system = gateway_alone().spawn().await;
    for (extra, length, expected) in [
        ("", 8_000_000, "HTTP/1.1 401 Unauthorized\r\n"),
        ("X-Webhook-Signature: 0\r\n", 40_000_000, "HTTP/1.1 413 Payload Too Large\r\n"),
    ] {
        let mut wire = Wire::connect(&system).await;
        wire.send(format!("{}{extra}\r\n", head(length))).await;
        wire.send(vec![b'x'; length]).await;
        let answer = wire.answer().await;
        assert!(answer.starts_with(expected), "{answer}");
        // Whoever sent all of it may go on with the same connection.
        let (head, body) = signed(&system, &updated(&system));
        wire.send([head, body].concat()).await;
        assert!(wire.answer().await.starts_with("HTTP/1.1 202 "));
    }
}

#[tokio::test]
async fn an_early_answer_comes_before_the_body_and_the_rest_is_waited_for_a_second() {
    let system = gateway_alone().spawn().await;
    for (extra, length, expected) in [
        ("", 1000, "HTTP/1.1 401 Unauthorized\r\n"),
        ("X-Webhook-Signature: 0\r\n", 40_000_000, "HTTP/1.1 413 Payload Too Large\r\n"),
        // Nobody is asked for a body that is not wanted.
        ("Expect: 100-continue\r\n", 1000, "HTTP/1.1 401 Unauthorized\r\n"),
    ] {
        let mut wire = Wire::connect(&system).await;
        wire.send(format!("{}{extra}\r\n", head(length))).await;
        let answer = wire.answer().await;
        assert!(answer.starts_with(expected), "{answer}");
        let closed = wire.closed().await;
        assert!((500..5000).contains(&closed.as_millis()), "{closed:?}");
    }
}

#[tokio::test]
async fn a_body_may_come_in_chunks_or_be_asked_for_or_end_the_sending() {
    let system = gateway_alone().spawn().await;
    let (head, body) = signed(&system, &updated(&system));
    let head = String::from_utf8(head).unwrap();
    let length = format!("Content-Length: {}", body.len());

    let mut chunked = Wire::connect(&system).await;
    chunked.send(head.replace(&length, "Transfer-Encoding: chunked")).await;
    for piece in body.chunks(10) {
        let size = format!("{:x}\r\n", piece.len());
        chunked.send([size.as_bytes(), piece, b"\r\n"].concat()).await;
    }
    chunked.send("0\r\n\r\n").await;
    assert!(chunked.answer().await.starts_with("HTTP/1.1 202 "));

    let mut asked = Wire::connect(&system).await;
    asked.send(head.replace("Host:", "Expect: 100-continue\r\nHost:")).await;
    assert_eq!(asked.answer().await, "HTTP/1.1 100 Continue\r\n\r\n");
    asked.send(&body).await;
    assert!(asked.answer().await.starts_with("HTTP/1.1 202 "));

    let mut half_closed = Wire::connect(&system).await;
    half_closed.send([head.as_bytes(), &body].concat()).await;
    half_closed.finish_sending().await;
    assert!(half_closed.answer().await.starts_with("HTTP/1.1 202 "));
    half_closed.closed().await;
    assert_eq!(work_queue::drain(&system).await.len(), 3);
}

#[tokio::test]
async fn requests_on_one_connection_are_answered_in_turn() {
    let system = gateway_alone().spawn().await;
    let (head, body) = signed(&system, &updated(&system));
    let mut wire = Wire::connect(&system).await;
    wire.send([head, body].concat().repeat(20)).await;
    for _ in 0..20 {
        assert!(wire.answer().await.starts_with("HTTP/1.1 202 "));
    }
    assert_eq!(work_queue::drain(&system).await.len(), 20);
}

#[tokio::test]
async fn a_body_that_breaks_off_or_has_broken_chunks_is_published_by_nobody() {
    let system = gateway_alone().spawn().await;
    let (head, body) = signed(&system, &updated(&system));
    let mut broken = Wire::connect(&system).await;
    broken.send([&head[..], &body[..body.len() - 1]].concat()).await;
    broken.finish_sending().await;
    broken.closed_or_refused().await;

    let mut chunks = Wire::connect(&system).await;
    let length = format!("Content-Length: {}", body.len());
    let head = String::from_utf8(head).unwrap();
    chunks.send(head.replace(&length, "Transfer-Encoding: chunked")).await;
    chunks.send("zz\r\n").await;
    assert!(chunks.answer().await.starts_with("HTTP/1.1 400 "));
    assert_eq!(work_queue::drain(&system).await.len(), 0);
}

#[tokio::test]
async fn bodies_take_no_more_memory_than_they_may_and_give_it_back() {
    const LENGTH: usize = 16 * 1024 * 1024;
    let system = gateway_alone().spawn().await;
    // Together, so that none has stalled long enough to give way; all but the last byte, so that
    // each is held. Whoever is refused may be cut off in the end.
    let held = join_all((0..20).map(|_| async {
        let mut wire = Wire::connect(&system).await;
        wire.send(format!("{}X-Webhook-Signature: 0\r\n\r\n", head(LENGTH))).await;
        let sent = wire.try_send(vec![b' '; LENGTH - 1]).await;
        let answered = sent.is_err() || wire.has_answer().await;
        (wire, answered)
    }))
    .await;
    let (refused, held): (Vec<_>, Vec<_>) = held.into_iter().partition(|(_, answered)| *answered);
    assert!(!refused.is_empty(), "256 MiB hold no 20 bodies of 16 MiB");
    let mut unavailable = 0;
    for (mut wire, _) in refused {
        let answer = wire.answer().await;
        // On a slow machine some of the first have stalled when the last come.
        if answer.starts_with("HTTP/1.1 408 ") {
            continue;
        }
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.ends_with(r#"{"detail":"Event queue unavailable"}"#), "{answer}");
        assert!(answer.contains("retry-after: "), "{answer}");
        unavailable += 1;
    }
    assert!(unavailable > 0);

    drop(held);
    let (head, body) = signed(&system, &updated(&system));
    harness::eventually("memory is there again", super::ANSWER_WITHIN * 4, async || {
        let mut wire = Wire::connect(&system).await;
        wire.send([&head[..], &body].concat()).await;
        wire.answer().await.starts_with("HTTP/1.1 202 ")
    })
    .await;
    only_published(&system).await;
}
