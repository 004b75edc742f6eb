//! The gateway through the front door: what it answers, what it publishes, and how it bears slow
//! senders and dependencies that are away.

mod accepted;
mod admin;
mod audit;
mod bodies;
mod configuration;
mod crowded;
mod drain;
mod heads;
mod payloads;
mod postgres;
mod proxied;
mod published;
mod queues;
mod rabbitmq;
mod refused;
mod reported;
mod restart;
mod sealed;
mod slow;
mod tls;
mod wire;
mod work_queue;

use std::time::Duration;

use core_sim::{WebhookBody, sign};
use harness::{Answer, SIGNATURE_HEADER, SystemBuilder, TestSystem, WEBHOOK_PATH};
use serde_json::Value;

use self::work_queue::Published;

/// A sender gives up after 2 s; the contract leaves the gateway 1.5 s.
const ANSWER_WITHIN: Duration = Duration::from_millis(1500);

/// A gateway without a worker: what it publishes stays in the queue, to be looked at.
fn gateway_alone() -> SystemBuilder {
    TestSystem::builder().workers(0)
}

/// A member event of the system's campus.
fn updated(system: &TestSystem) -> WebhookBody {
    WebhookBody::new("member.updated", &system.campus.core_church_id, "m-1")
}

/// Posts a JSON value, signed as the campus signs.
async fn post(system: &TestSystem, body: &Value) -> Answer {
    system.post_signed(&system.campus.secret, body.to_string()).await
}

/// Posts bytes under any value of the signature header.
async fn post_under(system: &TestSystem, signature: &[u8], body: &[u8]) -> Answer {
    system.post_raw(WEBHOOK_PATH, &[(SIGNATURE_HEADER, signature)], body).await
}

/// The campus's signature of some bytes.
fn signature(system: &TestSystem, body: impl AsRef<[u8]>) -> String {
    sign(&system.campus.secret, body.as_ref())
}

/// The value of the gateway's first series that begins so.
async fn metric(system: &TestSystem, series: &str) -> Option<f64> {
    let page = reqwest::get(format!("{}/metrics", system.admin_url("gateway", 0))).await;
    let page = page.unwrap().text().await.unwrap();
    let line = page.lines().find(|line| line.starts_with(series))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// Fails unless the answer is this status with exactly this text.
#[track_caller]
fn assert_answer(answer: &Answer, status: u16, text: &str) {
    assert_eq!((answer.status, answer.text.as_str()), (status, text), "{answer:?}");
    assert_eq!(answer.headers["content-type"], "application/json", "{answer:?}");
}

/// Fails unless the answer says that the event could not be queued, in time.
#[track_caller]
fn assert_unavailable(answer: &Answer) {
    assert_answer(answer, 503, r#"{"detail":"Event queue unavailable"}"#);
    let seconds: u32 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(seconds >= 1, "{answer:?}");
    assert!(answer.took < ANSWER_WITHIN, "{answer:?}");
}

/// Takes the only message off the work queue.
async fn only_published(system: &TestSystem) -> Published {
    let mut all = work_queue::drain(system).await;
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}
