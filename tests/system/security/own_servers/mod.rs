//! What takes servers of a test's own: TLS to both, and the script that makes RabbitMQ's users.

mod amqps;
mod users_script;
mod verify_full;

use std::time::Duration;

use core_sim::WebhookBody;
use harness::{Authority, Role, TestSystem, eventually};
use serde_json::Value;
use support::program::run_to_end;

const SOON: Duration = Duration::from_secs(30);

/// A system whose programs check both servers' certificates, and an event that went through it.
async fn encrypted_system() -> TestSystem {
    let system = TestSystem::builder().encrypted().spawn().await;
    let body = WebhookBody::test(&system.campus.core_church_id);
    let answer = system.post(&system.campus, &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    eventually("the event is processed", SOON, async || {
        let processed = "SELECT FROM webhook_logs WHERE status = 'processed'";
        !system.database.rows(processed, &[]).await.is_empty()
    })
    .await;
    system
}

/// An authority that the servers' certificates are not from.
fn stranger(system: &TestSystem) -> Authority {
    Authority::new(system.servers().folder(), "stranger").unwrap()
}

/// What `faithctl doctor` says of `subject` with a variable changed.
async fn doctor(system: &TestSystem, subject: &str, name: &str, value: &str) -> String {
    let mut variables = system.variables(Role::Admin).clone();
    variables.insert(name.to_owned(), value.to_owned());
    let finished = run_to_end("faithctl", &["doctor", "--json"], b"", variables).await.unwrap();
    let report: Value = serde_json::from_str(&finished.stdout).unwrap();
    let checks = report.as_array().unwrap();
    let found = checks.iter().find(|check| check["check"] == subject);
    found.map_or_else(String::new, |check| {
        format!("{} {}", check["status"].as_str().unwrap(), check["detail"].as_str().unwrap())
    })
}

/// Waits until a gateway that was started anew says why it is not ready.
async fn reasons(system: &TestSystem, name: &str, value: &str) -> String {
    system.gateway(0).terminate(SOON).await.unwrap();
    system.gateway(0).set_variable(name.to_owned(), value.to_owned());
    system.gateway(0).start().unwrap();
    let admin = system.admin_url("gateway", 0);
    let text =
        async |path: &str| reqwest::get(format!("{admin}{path}")).await.ok()?.text().await.ok();
    let said = eventually("the gateway says why it is not ready", SOON, async || {
        text("/readyz").await.filter(|text| text.contains("certificate"))
    })
    .await;
    assert_eq!(text("/livez").await.as_deref(), Some(r#"{"alive":true}"#));
    said
}
