//! The admin port, and starts that go wrong.

use std::collections::BTreeSet;

use harness::{Role, TestSystem};
use support::program::run_to_end;

use super::{gateway_alone, post_under, updated};

#[tokio::test]
async fn a_ready_gateway_says_so_and_shows_its_metrics_from_the_start() {
    let system = gateway_alone().spawn().await;
    let admin = system.admin_url("gateway", 0);
    let get = async |path: &str| reqwest::get(format!("{admin}{path}")).await.unwrap();
    assert_eq!(get("/livez").await.status(), 200);
    let ready = get("/readyz").await;
    assert_eq!(ready.status(), 200);
    assert_eq!(ready.text().await.unwrap(), r#"{"ready":true,"reasons":{}}"#);

    let metrics = get("/metrics").await.text().await.unwrap();
    let families: BTreeSet<_> =
        metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    assert!(families.len() >= 10, "{families:?}");
    for line in [
        r#"gateway_requests_total{status="202""#,
        r#"gateway_events_accepted_total{event_type="member.updated""#,
        r#"gateway_refusals_total{reason="invalid_signature""#,
        "gateway_campuses{",
        "gateway_body_bytes_in_flight{",
        "campus_snapshot_age_seconds{",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }

    assert_eq!(system.post(&system.campus, &updated(&system)).await.status, 202);
    post_under(&system, b"wrong", &updated(&system).to_bytes()).await;
    let metrics = get("/metrics").await.text().await.unwrap();
    for (name, value) in [
        (r#"gateway_requests_total{status="202""#, "1"),
        (r#"gateway_requests_total{status="401""#, "1"),
        (r#"gateway_events_accepted_total{event_type="member.updated""#, "1"),
        (r#"gateway_refusals_total{reason="invalid_signature""#, "1"),
        ("gateway_campuses{", "1"),
        ("gateway_body_bytes_in_flight{", "0"),
        ("gateway_publish_duration_seconds_count{", "1"),
        ("gateway_request_duration_seconds_count{", "2"),
    ] {
        let line = metrics.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        assert!(line.ends_with(&format!("}} {value}")), "{name} {value}: {line}");
    }
}

#[tokio::test]
async fn nothing_secret_or_personal_is_logged() {
    let system = gateway_alone().variable("RUST_LOG", "debug").spawn().await;
    let body = updated(&system)
        .with_data(serde_json::json!({"full_name": "SUMARNI NINGSIH", "phone": "0812"}))
        .to_bytes();
    let signature = super::signature(&system, &body);
    assert_eq!(post_under(&system, signature.as_bytes(), &body).await.status, 202);
    post_under(&system, signature.to_uppercase().as_bytes(), &body).await;
    let log = std::fs::read_to_string(system.gateway(0).log()).unwrap().to_lowercase();
    let password = system.variables(Role::Gateway)["AMQP_URL"].split(['@', ':']).nth(2).unwrap();
    for secret in [&system.campus.secret, &signature, "sumarni", "0812", password] {
        assert!(!log.contains(&secret.to_lowercase()), "{secret} is in the log");
    }
}

#[tokio::test]
async fn the_first_log_line_names_both_addresses() {
    let system = gateway_alone().spawn().await;
    let log = std::fs::read_to_string(system.gateway(0).log()).unwrap();
    let line: serde_json::Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    let public = system.gateway_url().replace("http://", "");
    let admin = system.admin_url("gateway", 0).replace("http://", "");
    assert_eq!(
        (line["address"].as_str(), line["admin_address"].as_str()),
        (Some(&*public), Some(&*admin))
    );
    assert_eq!(line["message"], format!("listening on {public} (admin {admin})"));
}

#[tokio::test]
async fn a_bad_setting_ends_the_start_with_one_line() {
    let system = gateway_alone().gateways(0).spawn().await;
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (name, value) in [
        ("GATEWAY_LISTEN", "8080"),
        ("GATEWAY_LISTEN", &taken),
        ("GATEWAY_MAX_BODY_BYTES", "0"),
        ("GATEWAY_MAX_BODY_BYTES", "16 MB"),
        ("QUEUE_MAX_LENGTH", "-1"),
        ("AMQP_URL", "http://localhost"),
        ("DATABASE_URL", ""),
        ("SECRETS_KEY", "short"),
        ("TLS_CERT_FILE", "/nowhere/certificate.pem"),
    ] {
        let finished = start_with(&system, &[(name, value)]).await;
        assert_eq!(finished.code, Some(2), "{name}: {finished:?}");
        assert_eq!(finished.stdout, "");
        let said = finished.stderr.lines().last().unwrap();
        assert!(said.contains(name) && said.contains("expected"), "{name}: {finished:?}");
    }
    let alone = start_with(&system, &[("TLS_KEY_FILE", "/nowhere/key.pem")]).await;
    assert!(alone.stderr.contains("TLS_CERT_FILE: is not set"), "{alone:?}");
}

/// Starts a gateway that is expected to end at once.
async fn start_with(system: &TestSystem, changes: &[(&str, &str)]) -> harness::Finished {
    let mut variables = system.variables(Role::Gateway).clone();
    variables.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    run_to_end("gateway", &[], b"", variables).await.unwrap()
}
