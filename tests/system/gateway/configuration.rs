//! Changes of campuses, seen by running gateways within a second.

use std::time::Duration;

use core_sim::{Options, sign};
use harness::{SIGNATURE_HEADER, TestSystem, WEBHOOK_PATH, eventually};
use serde_json::json;

use super::gateway_alone;

/// How soon a change is in force (interface §2).
const SEEN_WITHIN: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_change_is_in_force_in_every_gateway_within_a_second() {
    let system = gateway_alone().gateways(2).spawn().await;
    let id = system.campus.id.as_str();
    for (command, status) in [("disable", 403), ("enable", 200)] {
        system.faithctl(&["campus", command, id]).await.success();
        everywhere(&system, &system.campus.core_church_id, &system.campus.secret, status).await;
    }
    system.faithctl(&["campus", "set", id, "--core-church-id", "renamed"]).await.success();
    everywhere(&system, "renamed", &system.campus.secret, 200).await;
    let old = &system.campus.core_church_id;
    everywhere(&system, old, &system.campus.secret, 404).await;
}

#[tokio::test]
async fn a_campus_that_is_added_or_deleted_is_seen_within_a_second() {
    let system = gateway_alone().gateways(2).spawn().await;
    let church = &Options::default().churches[1];
    let added = system.add_campus(church, &[]).await;
    everywhere(&system, &church.id, &added.secret, 200).await;
    // The other's secret is no good for this one.
    everywhere(&system, &church.id, &system.campus.secret, 401).await;
    let delete = format!("DELETE FROM campuses WHERE id = '{}'", added.id);
    system.database.client().batch_execute(&delete).await.unwrap();
    everywhere(&system, &church.id, &added.secret, 404).await;
}

#[tokio::test]
async fn a_rotated_secret_is_in_force_within_a_second_and_the_grace_ends_by_itself() {
    let system = gateway_alone().gateways(2).spawn().await;
    let (church, first) = (&system.campus.core_church_id, &system.campus.secret);
    let rotate = ["campus", "rotate-secret", &system.campus.id, "--grace", "3s", "--json"];
    let rotated = system.faithctl(&rotate).await.json();
    let second = rotated["webhook_secret"].as_str().unwrap();
    everywhere(&system, church, second, 200).await;
    assert_eq!(status(&system, 0, church, first).await, 200, "within its grace");
    eventually("the grace has ended", Duration::from_secs(5), async || {
        status(&system, 0, church, first).await == 401
    })
    .await;
    assert_eq!(status(&system, 0, church, second).await, 200);
}

/// Waits until both gateways answer a test webhook so.
async fn everywhere(system: &TestSystem, church: &str, secret: &str, expected: u16) {
    let what = format!("the gateways answer {expected} for {church}");
    eventually(&what, SEEN_WITHIN, async || {
        let (first, second) =
            tokio::join!(status(system, 0, church, secret), status(system, 1, church, secret));
        if [first, second] == [expected; 2] { Ok(()) } else { Err(format!("{first}, {second}")) }
    })
    .await;
}

async fn status(system: &TestSystem, gateway: usize, church: &str, secret: &str) -> u16 {
    let body = json!({"event_type": "test", "church_id": church}).to_string();
    let request = reqwest::Client::new()
        .post(format!("{}{WEBHOOK_PATH}", system.gateway_url_of(gateway)))
        .header(SIGNATURE_HEADER, sign(secret, body.as_bytes()))
        .body(body);
    request.send().await.unwrap().status().as_u16()
}
