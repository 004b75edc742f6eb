//! What operators are told of refused webhooks: in the log, and in `webhook_logs`.

use std::time::{Duration, Instant};

use core_sim::sign;
use harness::{SIGNATURE_HEADER, TestSystem, WEBHOOK_PATH, eventually};
use serde_json::{Value, json};

use super::{gateway_alone, post, post_under, signature, updated, wire::Wire};

const SOON: Duration = Duration::from_secs(20);

/// The lines of the gateway's log about refusals for this reason.
fn told(system: &TestSystem, reason: &str) -> Vec<Value> {
    let log = std::fs::read_to_string(system.gateway(0).log()).unwrap();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["reason"] == reason).collect()
}

async fn first(system: &TestSystem, reason: &str) -> Value {
    eventually("the refusal has its line", SOON, async || told(system, reason).into_iter().next())
        .await
}

#[tokio::test]
async fn a_flood_of_one_reason_hides_no_other_and_writes_few_lines() {
    let system = gateway_alone().spawn().await;
    let body = updated(&system).to_bytes();
    let unknown = |n: usize| json!({"event_type": "test", "church_id": format!("church-{n}")});
    let began = Instant::now();
    for n in 0..300 {
        assert_eq!(post(&system, &unknown(n)).await.status, 404);
        if n % 100 == 50 {
            assert_eq!(post_under(&system, b"wrong", &body).await.status, 401);
        }
    }
    assert_eq!(
        post(&system, &json!({"church_id": system.campus.core_church_id})).await.status,
        400
    );
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap() + 2;

    let missing = first(&system, "missing_event_type").await;
    assert_eq!(missing["campus_id"], system.campus.id.as_str());
    let bad = told(&system, "invalid_signature");
    assert_eq!(bad.len(), 3, "each is told of: {bad:?}");
    for line in bad {
        assert_eq!(line["campus_id"], system.campus.id.as_str());
        assert_eq!(line["client_address"], "127.0.0.1");
        assert_eq!((&line["left_out"], &line["status"]), (&json!(0), &json!(401)));
        assert_eq!(line["clue"], "The signature is not 64 lowercase hex digits.");
    }
    let flood = told(&system, "unknown_campus");
    assert!(flood.len() <= 5 * seconds, "{} lines in {seconds} s", flood.len());
    assert!(flood.iter().all(|line| line["campus_id"] == Value::Null));
}

#[tokio::test]
async fn what_is_over_a_limit_and_what_hyper_refuses_is_told_too() {
    let system = TestSystem::spawn().await;
    let id = system.campus.id.as_str();
    system.faithctl(&["campus", "set", id, "--rate-limit", "1/s"]).await.success();
    let body = updated(&system).to_bytes();
    eventually("the limit is in force", SOON, async || {
        system.post_signed(&system.campus.secret, &body).await.status == 429
    })
    .await;
    let line = first(&system, "rate_limited").await;
    assert_eq!((&line["campus_id"], &line["status"]), (&json!(id), &json!(429)));
    assert_eq!(line["client_address"], "127.0.0.1");
    let row = rejected(&system, "error LIKE '%Too many requests%'").await;
    assert_eq!((&row["campus_id"], &row["signature_valid"]), (&json!(id), &json!(true)));
    assert_eq!(row["error"], "Refused with status 429: Too many requests. It came from 127.0.0.1.");
    assert_eq!(row["member_id"], "m-1");

    for (head, reason) in [
        ("nonsense\r\n\r\n".to_owned(), "bad_request"),
        (
            format!("GET / HTTP/1.1\r\nHost: g\r\nX: {}\r\n\r\n", "x".repeat(40_000)),
            "head_too_large",
        ),
    ] {
        let mut wire = Wire::connect(&system).await;
        // It may be answered, and closed, before all of it is sent.
        wire.try_send(head).await.ok();
        assert_eq!(first(&system, reason).await["client_address"], "127.0.0.1");
    }
}

#[tokio::test]
async fn a_refused_delivery_says_where_it_came_from_and_what_its_signature_looks_like() {
    const OTHER: &str = "203.0.113.7";
    let system =
        TestSystem::builder().variable("GATEWAY_TRUSTED_PROXIES", "127.0.0.0/8").spawn().await;
    let send = async |number: usize, signature: &str, body: &[u8], more: (&str, &str)| {
        let headers = [(SIGNATURE_HEADER, signature.as_bytes()), (more.0, more.1.as_bytes())];
        assert_eq!(system.post_raw(WEBHOOK_PATH, &headers, body).await.status, 401);
        rejected(&system, &format!("event_id = 'e-{number}'")).await["error"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let body = |number: usize| {
        updated(&system).with("event_id", format!("e-{number}")).to_bytes().to_vec()
    };
    let refused = |origin: &str, clue: &str| {
        let clue = if clue.is_empty() { String::new() } else { format!(" {clue}") };
        format!("Refused with status 401: Invalid webhook signature. It came from {origin}.{clue}")
    };
    let none = ("x-nothing", "");

    // Of proxies, the trusted ones alone are believed.
    let wrong = sign("another secret", b"");
    let usual = ("x-forwarded-for", "198.51.100.1, 203.0.113.7, 127.0.0.9");
    assert_eq!(send(1, &wrong, &body(1), usual).await, refused(OTHER, ""));
    let standard = ("forwarded", r#"for=192.0.2.1, For="203.0.113.7:80";proto=https"#);
    assert_eq!(send(2, &wrong, &body(2), standard).await, refused(OTHER, ""));

    let third = body(3);
    let right = signature(&system, &third);
    let clue =
        "The signature begins with a prefix `sha256=`, which it must not. Otherwise it is right.";
    let prefixed = format!("sha256={right}");
    assert_eq!(send(3, &prefixed, &third, none).await, refused("127.0.0.1", clue));
    let fourth = body(4);
    let clue =
        "The signature has upper case digits, where all must be lowercase. Otherwise it is right.";
    let upper = signature(&system, &fourth).to_uppercase();
    assert_eq!(send(4, &upper, &fourth, none).await, refused("127.0.0.1", clue));
    let fifth = body(5);
    let line = [&fifth[..], b"\n"].concat();
    let said = send(5, &signature(&system, &fifth), &line, none).await;
    assert!(said.contains("with another end of line at its end: the body was changed"), "{said}");
    let sixth = String::from_utf8(body(6)).unwrap();
    let spaced = sixth.replace("\":\"", "\": \"").replace("\",\"", "\", \"");
    let said = send(6, &signature(&system, &sixth), spaced.as_bytes(), none).await;
    assert!(said.contains("the same JSON with other spaces or escapes"), "{said}");

    let line = first(&system, "invalid_signature").await;
    assert_eq!(line["client_address"], OTHER);
    let log = std::fs::read_to_string(system.gateway(0).log()).unwrap();
    assert!(log.contains("Otherwise it is right."));
    for secret in [&right, &upper, &wrong, &system.campus.secret] {
        assert!(!log.contains(secret.as_str()), "no signature and no secret is logged");
    }
}

#[tokio::test]
async fn nobody_is_believed_who_is_no_proxy_of_ours() {
    let system =
        TestSystem::builder().variable("GATEWAY_TRUSTED_PROXIES", "10.0.0.0/8").spawn().await;
    let wrong = sign("another secret", b"");
    let headers = [
        (SIGNATURE_HEADER, wrong.as_bytes()),
        ("forwarded", b"for=203.0.113.7"),
        ("x-forwarded-for", b"203.0.113.7"),
    ];
    let body = updated(&system).to_bytes();
    assert_eq!(system.post_raw(WEBHOOK_PATH, &headers, &body).await.status, 401);
    assert_eq!(first(&system, "invalid_signature").await["client_address"], "127.0.0.1");
    let row = rejected(&system, "true").await;
    let said = "Refused with status 401: Invalid webhook signature. It came from 127.0.0.1.";
    assert_eq!(row["error"], said);
}

/// The row of a refused delivery of which this holds.
async fn rejected(system: &TestSystem, condition: &str) -> Value {
    let query = format!("SELECT * FROM webhook_logs WHERE status = 'rejected' AND {condition}");
    eventually("the refusal has its row", SOON, async || {
        system.database.rows(&query, &[]).await.pop()
    })
    .await
}
