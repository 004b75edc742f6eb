//! The table of interface §2 of checks, row by row, and their order.

use std::time::Duration;

use core_sim::sign;
use harness::{SIGNATURE_HEADER, TestSystem, WEBHOOK_PATH, eventually};
use serde_json::{Value, json};

use super::{
    assert_answer, gateway_alone, only_published, post, post_under, signature, updated, work_queue,
};

const MISSING_SIGNATURE: &str = r#"{"detail":"Missing webhook signature"}"#;
const INVALID_JSON: &str = r#"{"detail":"Invalid JSON payload"}"#;
const MISSING_CAMPUS: &str = r#"{"detail":"Missing campus_id in payload"}"#;
const NOT_CONFIGURED: &str = r#"{"detail":"Sync not configured for this campus"}"#;
const INVALID_SIGNATURE: &str = r#"{"detail":"Invalid webhook signature"}"#;
const DISABLED: &str = r#"{"detail":"Sync is disabled for this campus"}"#;
const MISSING_TYPE: &str = r#"{"detail":"Missing event_type in payload"}"#;
const MISSING_MEMBER: &str = r#"{"detail":"Missing member_id in payload"}"#;

#[tokio::test]
async fn a_signature_is_asked_for_before_anything_is_read() {
    let system = gateway_alone().spawn().await;
    let answer = system.post_raw(WEBHOOK_PATH, &[], b"{}").await;
    assert_answer(&answer, 401, MISSING_SIGNATURE);
    for empty in ["", "  "] {
        let answer = post_under(&system, empty.as_bytes(), b"no JSON").await;
        assert_answer(&answer, 401, MISSING_SIGNATURE);
    }
    assert_eq!(work_queue::drain(&system).await.len(), 0);
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_told_whoever_signed_it() {
    let system = gateway_alone().spawn().await;
    let church = &system.campus.core_church_id;
    let good = format!(r#"{{"event_type":"test","church_id":"{church}"}}"#);
    let bodies = [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "\"text\"".to_owned(),
        format!("[{good}]"),
        format!("{good}{good}"),
        format!("{good} x"),
        format!("\u{feff}{good}"),
        good[..good.len() - 1].to_owned(),
        good.replace('}', ",}"),
        good.replace("\"test\"", "NaN"),
    ];
    for body in bodies {
        assert_answer(&system.post_signed(&system.campus.secret, &body).await, 400, INVALID_JSON);
        assert_answer(&post_under(&system, b"wrong", body.as_bytes()).await, 400, INVALID_JSON);
    }
    let latin = [good.replace('}', ",\"data\":\"").as_bytes(), b"\xe9\"}"].concat();
    assert_answer(&system.post_signed(&system.campus.secret, latin).await, 400, INVALID_JSON);
    assert_eq!(work_queue::drain(&system).await.len(), 0);
}

#[tokio::test]
async fn a_campus_must_be_named_at_the_top_level_by_a_string() {
    let system = gateway_alone().spawn().await;
    let church = &system.campus.core_church_id;
    for body in [
        json!({"event_type": "test"}),
        json!({"event_type": "test", "church_id": ""}),
        json!({"event_type": "test", "church_id": null, "campus_id": 7}),
        json!({"event_type": "test", "church_id": [church], "campus_id": {"id": church}}),
        json!({"event_type": "test", "data": {"church_id": church}, "church": {"id": church}}),
    ] {
        assert_answer(&post(&system, &body).await, 400, MISSING_CAMPUS);
        let answer = post_under(&system, b"wrong", body.to_string().as_bytes()).await;
        assert_answer(&answer, 400, MISSING_CAMPUS);
    }
}

#[tokio::test]
async fn an_unknown_campus_is_not_configured_even_where_another_key_would_do() {
    let system = gateway_alone().spawn().await;
    let church = &system.campus.core_church_id;
    for body in [
        json!({"event_type": "test", "church_id": "unknown"}),
        json!({"event_type": "test", "campus_id": uuid::Uuid::new_v4().to_string()}),
        json!({"event_type": "test", "church_id": "unknown", "campus_id": church}),
        json!({"event_type": "test", "church_id": format!("{church} ")}),
    ] {
        assert_answer(&post(&system, &body).await, 404, NOT_CONFIGURED);
    }
}

#[tokio::test]
async fn only_the_exact_lowercase_hex_of_the_raw_bytes_is_right() {
    let system = gateway_alone().spawn().await;
    let body = updated(&system).to_bytes();
    let right = signature(&system, &body);
    let other = right.replacen(|digit| digit != '0', "0", 1);
    for wrong in [
        other.as_bytes(),
        right.to_uppercase().as_bytes(),
        format!("sha256={right}").as_bytes(),
        &right.as_bytes()[..63],
        format!("{right}0").as_bytes(),
        format!("{right},{right}").as_bytes(),
        "é".repeat(32).as_bytes(),
        b"\xff\xfe",
        b"0",
        sign("another secret", &body).as_bytes(),
        sign("", &body).as_bytes(),
    ] {
        assert_answer(&post_under(&system, wrong, &body).await, 401, INVALID_SIGNATURE);
    }
    // The bytes are signed, not what they mean.
    let spaced = [&body[..], b" "].concat();
    assert_answer(&post_under(&system, right.as_bytes(), &spaced).await, 401, INVALID_SIGNATURE);
    assert_eq!(post_under(&system, right.as_bytes(), &body).await.status, 202);
    only_published(&system).await;
}

#[tokio::test]
async fn a_disabled_campus_is_told_so_to_those_who_signed() {
    let system = gateway_alone().spawn().await;
    system.faithctl(&["campus", "disable", &system.campus.id]).await.success();
    let body = json!({"church_id": system.campus.core_church_id});
    // Before the type of event is looked at.
    eventually("the campus is disabled", Duration::from_secs(1), async || {
        post(&system, &body).await.status == 403
    })
    .await;
    assert_answer(&post(&system, &body).await, 403, DISABLED);
    let unsigned = post_under(&system, b"wrong", body.to_string().as_bytes()).await;
    assert_answer(&unsigned, 401, INVALID_SIGNATURE);
    assert_eq!(work_queue::drain(&system).await.len(), 0);
}

#[tokio::test]
async fn an_event_has_a_type_and_a_member_event_a_member() {
    let system = gateway_alone().spawn().await;
    let church = &system.campus.core_church_id;
    let long = "x".repeat(65);
    for odd in [json!(null), json!(""), json!(7), json!(["test"]), json!(long)] {
        let body = json!({"church_id": church, "event_type": odd, "member_id": 5});
        assert_answer(&post(&system, &body).await, 400, MISSING_TYPE);
    }
    assert_answer(&post(&system, &json!({"church_id": church})).await, 400, MISSING_TYPE);
    let long = "x".repeat(129);
    for kind in ["member.created", "member.updated", "member.deleted"] {
        for odd in [
            json!(null),
            json!(""),
            json!(7),
            json!({"id": "m"}),
            json!(long),
            json!("."),
            json!(".."),
            json!("a\tb"),
            json!("\u{7f}"),
        ] {
            let body = json!({"church_id": church, "event_type": kind, "member_id": odd});
            assert_answer(&post(&system, &body).await, 400, MISSING_MEMBER);
        }
        let body = json!({"church_id": church, "event_type": kind});
        assert_answer(&post(&system, &body).await, 400, MISSING_MEMBER);
    }
    assert_eq!(work_queue::drain(&system).await.len(), 0);
}

#[tokio::test]
async fn a_campus_over_its_limit_waits_and_the_limit_can_be_lifted() {
    let system = gateway_alone().spawn().await;
    let set = async |limit: &str| {
        let id = system.campus.id.as_str();
        system.faithctl(&["campus", "set", id, "--rate-limit", limit]).await.success();
    };
    set("1/s").await;
    let body = updated(&system).to_bytes();
    let refused = eventually("the limit is in force", Duration::from_secs(1), async || {
        let answer = system.post_signed(&system.campus.secret, &body).await;
        (answer.status == 429).then_some(answer)
    })
    .await;
    assert_answer(&refused, 429, r#"{"detail":"Too many requests"}"#);
    assert_eq!(refused.headers["retry-after"], "1");
    // What is malformed is told as that, and takes nothing of the limit.
    let church = &system.campus.core_church_id;
    let malformed = json!({"church_id": church, "event_type": "member.updated"});
    assert_answer(&post(&system, &malformed).await, 400, MISSING_MEMBER);

    set("off").await;
    eventually("the limit is lifted", Duration::from_secs(1), async || {
        let mut answers = Vec::new();
        for _ in 0..5 {
            answers.push(system.post_signed(&system.campus.secret, &body).await.status);
        }
        answers == [202; 5]
    })
    .await;
}

#[tokio::test]
async fn a_body_larger_than_the_limit_is_refused_after_the_signature_header() {
    let system = gateway_alone().variable("GATEWAY_MAX_BODY_BYTES", "1000").spawn().await;
    let exactly = padded(&system, 1000);
    assert_eq!(system.post_signed(&system.campus.secret, &exactly).await.status, 202);
    let beyond = padded(&system, 1001);
    let answer = system.post_signed(&system.campus.secret, &beyond).await;
    assert_answer(&answer, 413, r#"{"detail":"Request body too large"}"#);
    let answer = system.post_raw(WEBHOOK_PATH, &[], beyond.as_bytes()).await;
    assert_answer(&answer, 401, MISSING_SIGNATURE);
    let answer = post_under(&system, b"wrong", &[b'x'; 1001]).await;
    assert_answer(&answer, 413, r#"{"detail":"Request body too large"}"#);
}

#[tokio::test]
async fn other_paths_and_methods_are_not_the_webhooks() {
    let system = gateway_alone().spawn().await;
    let body = updated(&system).to_bytes();
    let signature = signature(&system, &body);
    let headers = [(SIGNATURE_HEADER, signature.as_bytes())];
    for path in ["/", "/api/sync/webhook/", "/api/sync", "/API/sync/webhook", "/metrics"] {
        let answer = system.post_raw(path, &headers, &body).await;
        assert_answer(&answer, 404, r#"{"detail":"Not Found"}"#);
    }
    let client = reqwest::Client::new();
    for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        for path in [WEBHOOK_PATH, "/sync/webhook?a=b"] {
            let url = format!("{}{path}", system.gateway_url());
            let answer =
                client.request(method.parse().unwrap(), url).body("{}").send().await.unwrap();
            assert_eq!(answer.status(), 405, "{method}");
            assert_eq!(answer.headers()["allow"], "POST", "{method}");
            assert_eq!(answer.headers()["content-type"], "application/json", "{method}");
            assert_eq!(answer.text().await.unwrap(), r#"{"detail":"Method Not Allowed"}"#);
        }
    }
    let head = client.head(format!("{}{WEBHOOK_PATH}", system.gateway_url())).send().await;
    assert_eq!(head.unwrap().status(), 405);
}

/// A good body of exactly so many bytes.
fn padded(system: &TestSystem, length: usize) -> String {
    let body = |padding: usize| -> Value {
        json!({
            "event_type": "member.updated",
            "church_id": system.campus.core_church_id,
            "member_id": "m-1",
            "data": "x".repeat(padding),
        })
    };
    let text = body(length - body(0).to_string().len()).to_string();
    assert_eq!(text.len(), length);
    text
}
