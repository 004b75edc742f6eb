//! Heads that are none, and that every refusal is counted, whoever answered it.

use super::{
    gateway_alone, metric, post_under, signature, updated,
    wire::{Wire, signed},
};

#[tokio::test]
async fn a_request_names_its_host_once() {
    let system = gateway_alone().spawn().await;
    let (head, body) = signed(&system, &updated(&system));
    let head = String::from_utf8(head).unwrap();
    let host = "Host: gateway\r\n";
    for (head, expected) in [
        (head.replace(host, ""), "HTTP/1.1 400 Bad Request\r\n"),
        (head.replace(host, "Host: gateway\r\nhost: gateway\r\n"), "HTTP/1.1 400 Bad Request\r\n"),
        (head.replace(host, "Host:\r\n"), "HTTP/1.1 202 "),
        (head.replace("HTTP/1.1", "HTTP/1.0").replace(host, ""), "HTTP/1.0 202 "),
    ] {
        let mut wire = Wire::connect(&system).await;
        wire.send([head.as_bytes(), &body].concat()).await;
        let answer = wire.answer().await;
        assert!(answer.starts_with(expected), "{head}: {answer}");
        assert!(expected.contains("202") || answer.ends_with(r#"{"detail":"Bad Request"}"#));
    }
    assert_eq!(refusals(&system, "bad_request").await, Some(2.0));
}

#[tokio::test]
async fn what_is_no_head_or_too_large_a_one_is_refused_and_counted() {
    let system = gateway_alone().spawn().await;
    let large = format!("POST / HTTP/1.1\r\nHost: gateway\r\nX: {}\r\n\r\n", "x".repeat(40_000));
    for (head, expected) in [
        ("no request\r\n\r\n".to_owned(), "HTTP/1.1 400 "),
        (
            "POST / HTTP/1.1\r\nHost: gateway\r\nContent-Length: x\r\n\r\n".to_owned(),
            "HTTP/1.1 400 ",
        ),
        (large, "HTTP/1.1 431 "),
    ] {
        let mut wire = Wire::connect(&system).await;
        wire.try_send(head).await.ok();
        let answer = wire.answer().await;
        assert!(answer.starts_with(expected), "{answer}");
    }
    for (series, expected) in [
        (r#"gateway_requests_total{status="400""#, 2.0),
        (r#"gateway_requests_total{status="431""#, 1.0),
        (r#"gateway_refusals_total{reason="bad_request""#, 2.0),
        (r#"gateway_refusals_total{reason="head_too_large""#, 1.0),
    ] {
        harness::eventually(series, super::ANSWER_WITHIN, async || {
            metric(&system, series).await == Some(expected)
        })
        .await;
    }
}

#[tokio::test]
async fn what_a_campus_is_refused_after_its_signature_is_counted_as_its_own() {
    let system = gateway_alone().spawn().await;
    let set = ["campus", "set", &system.campus.id, "--rate-limit", "1/s"];
    system.faithctl(&set).await.success();
    let body = updated(&system).to_bytes();
    let signature = signature(&system, &body);
    let mut limited = 0.0;
    while limited < 2.0 {
        if post_under(&system, signature.as_bytes(), &body).await.status == 429 {
            limited += 1.0;
        }
    }
    assert_eq!(refusals(&system, "rate_limited").await, Some(limited));
    let campus = &system.campus.id;
    let of_campus =
        format!(r#"gateway_campus_refusals_total{{campus="{campus}",reason="rate_limited""#);
    assert_eq!(metric(&system, &of_campus).await, Some(limited));
}

async fn refusals(system: &harness::TestSystem, reason: &str) -> Option<f64> {
    metric(system, &format!(r#"gateway_refusals_total{{reason="{reason}""#)).await
}
