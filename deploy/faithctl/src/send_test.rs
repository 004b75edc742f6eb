//! `faithctl send-test`: a webhook as FaithFlow sends it, signed with the campus's own secret.

use std::time::{Duration, Instant};

use anyhow::Context;
use campus::{Purpose, Sealer, Secret};
use chrono::{SecondsFormat, Utc};
use clap::Args;
use database::{Client, DatabaseError};
use event::EventType;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Response;
use runtime::{SettingError, variables};
use serde::Serialize;
use sha2::Sha256;
use url::Url;
use uuid::Uuid;

use crate::{
    campus::{load_campus, webhook_url},
    environment::Environment,
    failure::{Reported, UsageError, say},
    input, output, web,
};

/// FaithFlow gives up on its first try after two seconds; this waits for an answer to show.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Sends a signed webhook to a gateway, and prints the status and body of its answer.
#[derive(Debug, Args)]
#[command(after_help = "Exit code 0 means that the gateway accepted it (2xx).\n\n\
    Examples:\n  \
    faithctl send-test 0195f2d0-7c5e-7d0a-9d3f-0b6f2f6a1c11 --gateway https://faithtracker.example.org\n  \
    faithctl send-test 0195f2d0-7c5e-7d0a-9d3f-0b6f2f6a1c11 --gateway http://127.0.0.1:8080 \\\n      \
    --event member.updated --member 8655d76b-9be0-4681-bd2c-35cd5e09a809")]
pub(crate) struct Arguments {
    /// Id of the campus whose church the webhook comes from
    #[arg(value_name = "ID")]
    campus: Uuid,
    /// Address of the gateway, with the webhook path or without [default: PUBLIC_URL]
    #[arg(long, value_name = "URL", value_parser = input::web_address)]
    gateway: Option<Url>,
    /// Type of the event; `test` syncs nothing
    #[arg(long, value_name = "TYPE", default_value = "test")]
    event: String,
    /// The core's id of the member that a member event is about
    #[arg(long, value_name = "ID")]
    member: Option<String>,
}

/// The body, its keys in FaithFlow's order.
#[derive(Serialize)]
struct Payload<'a> {
    event_id: Uuid,
    event_type: &'a str,
    timestamp: String,
    church_id: &'a str,
    campus_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    member_id: Option<&'a str>,
}

pub(crate) async fn run(arguments: Arguments, environment: &Environment) -> anyhow::Result<()> {
    let event = EventType::from(arguments.event.clone());
    if event.is_member() && arguments.member.is_none() {
        return Err(UsageError::new(format!("--event {} needs --member ID", event.as_str())).into());
    }
    let base = match &arguments.gateway {
        Some(url) => url.clone(),
        None => environment.public_url()?.ok_or_else(|| {
            SettingError::new(variables::PUBLIC_URL, "is not set", "it, or --gateway URL")
        })?,
    };
    let sealer = environment.sealer()?;
    let client = environment.client().await?;
    let campus = load_campus(&client, arguments.campus).await?;
    let secret = secret(&client, &sealer, campus.id).await?;

    let event_id = Uuid::new_v4();
    let body = serde_json::to_vec(&Payload {
        event_id,
        event_type: event.as_str(),
        timestamp: Utc::now().to_rfc3339_opts(SecondsFormat::Micros, false),
        church_id: &campus.core_church_id,
        campus_id: &campus.core_church_id,
        member_id: arguments.member.as_deref(),
    })?;
    let begun = Instant::now();
    // FaithFlow's tests have their id in the body alone.
    let header = (!event.is_test()).then_some(event_id);
    let response = post(webhook_url(&base), body, &secret, header).await?;
    let status = response.status();
    let answer = response.text().await.context("the gateway's answer broke off")?;
    let took = begun.elapsed();
    output::line(&format!(
        "{} {}",
        status.as_u16(),
        status.canonical_reason().unwrap_or_default()
    ))?;
    output::line(&output::printable(&answer))?;
    say(&format!("answered in {} ms", took.as_millis()));
    if status.is_success() {
        say(&format!("`faithctl deliveries show {event_id}` tells what becomes of it"));
        return Ok(());
    }
    say(advice(status.as_u16(), &answer));
    Err(Reported.into())
}

async fn secret(client: &Client, sealer: &Sealer, id: Uuid) -> anyhow::Result<Secret> {
    let row = client
        .query_one("SELECT webhook_secret_sealed FROM sync_configs WHERE campus_id = $1", &[&id])
        .await
        .map_err(DatabaseError::during("read the webhook secret"))?;
    sealer.open(id, Purpose::WebhookSecret, row.get(0)).context("cannot open the webhook secret")
}

async fn post(
    url: Url,
    body: Vec<u8>,
    secret: &Secret,
    event_id: Option<Uuid>,
) -> anyhow::Result<Response> {
    let address = url.to_string();
    let mut request = web::client(TIME_LIMIT)?
        .post(url)
        .header("Content-Type", "application/json")
        .header("X-Webhook-Signature", signature(secret, &body)?);
    if let Some(event_id) = event_id {
        request = request.header("X-Event-ID", event_id.to_string());
    }
    request.body(body).send().await.map_err(reqwest::Error::without_url).with_context(|| {
        format!(
            "no answer from {address}: is a gateway running there, and is its port open to this machine?"
        )
    })
}

/// Lowercase hex of the HMAC-SHA256 of the body, as the seed guide has it.
fn signature(secret: &Secret, body: &[u8]) -> anyhow::Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())?;
    mac.update(body);
    Ok(hex::encode(mac.finalize().into_bytes()))
}

/// What to do about a refusal, by its text; by its status where something else than a gateway
/// answered.
fn advice(status: u16, answer: &str) -> &'static str {
    let detail = serde_json::from_str::<serde_json::Value>(answer)
        .ok()
        .and_then(|answer| Some(answer.get("detail")?.as_str()?.to_owned()));
    match (status, detail.as_deref()) {
        (401, Some("Missing webhook signature")) => {
            "The X-Webhook-Signature header did not arrive: let the proxy before the gateway pass it on."
        }
        (401, Some("Invalid webhook signature")) => {
            "The gateway has another secret, or the body was changed on its way. Does it use the same \
             DATABASE_URL and SECRETS_KEY as this command, and does a proxy rewrite bodies?"
        }
        (404, Some("Sync not configured for this campus")) => {
            "The gateway does not know this campus: it reads another database, or cannot open the \
             campus's secret (its log says so; SECRETS_KEY)."
        }
        (403, Some("Sync is disabled for this campus")) => {
            "The campus is disabled: `faithctl campus enable ID` enables it."
        }
        (429, _) => {
            "The campus is over its rate limit: `faithctl campus set ID --rate-limit N/s` raises it."
        }
        (503, Some("Event queue unavailable")) => {
            "The gateway cannot queue events: `faithctl doctor` looks at RabbitMQ."
        }
        (413, _) => "A proxy before the gateway, or GATEWAY_MAX_BODY_BYTES, allows too little.",
        (400, Some(_)) => "The gateway did not understand the webhook: see its answer above.",
        (404 | 405, _) => {
            "Something answers there, but not at the webhook path: is the address the gateway's, \
             and does the proxy pass /api/sync/webhook on?"
        }
        (300..=399, _) => {
            "FaithFlow counts a redirect as a failure: enter the address that it leads to."
        }
        (502 | 504, _) => "The proxy does not reach the gateway.",
        _ => "This is no answer of a gateway: is the address right?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_seed_guides() {
        // Python: hmac.new(b"secret", b'{"event_type":"test"}', hashlib.sha256).hexdigest()
        let signed = signature(&Secret::new("secret"), br#"{"event_type":"test"}"#).unwrap();
        assert_eq!(signed, "63a0202d40deb95e436bda3e1e03e0f433389d686c2b947f21cbb976e18ec7a7");
    }

    #[test]
    fn every_refusal_of_the_seed_guide_has_an_advice() {
        let invalid = advice(401, r#"{"detail":"Invalid webhook signature"}"#);
        assert!(invalid.contains("SECRETS_KEY"));
        assert!(
            advice(404, r#"{"detail":"Sync not configured for this campus"}"#).contains("database")
        );
        assert!(advice(404, "<html>").contains("path"));
        assert!(advice(403, r#"{"detail":"Sync is disabled for this campus"}"#).contains("enable"));
    }
}
