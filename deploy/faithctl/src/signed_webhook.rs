//! A webhook as FaithFlow sends it, signed with the campus's own secret, and what becomes of it: `send-test` and
//! `doctor` send one.

use std::time::{Duration, Instant};

use anyhow::Context;
use campus::{Purpose, Sealer, Secret};
use chrono::{SecondsFormat, Utc};
use database::{Client, DatabaseError};
use event::EventType;
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;
use store::records::CampusRecord;
use tokio::time::{sleep, timeout};
use url::Url;
use uuid::Uuid;

use crate::{campus::webhook_url, web};

/// FaithFlow gives up on its first try after two seconds; this waits for an answer to show.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// Between two looks at the log.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A webhook, not sent yet.
pub(crate) struct SignedWebhook {
    pub(crate) event_id: Uuid,
    /// FaithFlow's tests have their id in the body alone.
    header: Option<Uuid>,
    body: Vec<u8>,
    secret: Secret,
}

/// What a gateway answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) reason: &'static str,
    pub(crate) body: String,
    pub(crate) took: Duration,
}

/// The webhook's row in the log of deliveries.
pub(crate) struct Logged {
    pub(crate) status: String,
    pub(crate) message: Option<String>,
    pub(crate) error: Option<String>,
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

impl SignedWebhook {
    /// Of this campus's church, as it would send it now.
    pub(crate) async fn new(
        client: &Client,
        sealer: &Sealer,
        campus: &CampusRecord,
        event: &EventType,
        member: Option<&str>,
    ) -> anyhow::Result<Self> {
        let event_id = Uuid::new_v4();
        let body = serde_json::to_vec(&Payload {
            event_id,
            event_type: event.as_str(),
            timestamp: Utc::now().to_rfc3339_opts(SecondsFormat::Micros, false),
            church_id: &campus.core_church_id,
            campus_id: &campus.core_church_id,
            member_id: member,
        })?;
        let secret = secret(client, sealer, campus.id).await?;
        Ok(Self { event_id, header: (!event.is_test()).then_some(event_id), body, secret })
    }

    /// Posts it to the gateway at `base`.
    pub(crate) async fn send(self, base: &Url) -> anyhow::Result<Answer> {
        let url = webhook_url(base);
        let address = url.to_string();
        let signature = signature(&self.secret, &self.body)?;
        let mut request = web::client(TIME_LIMIT)?
            .post(url)
            .header("Content-Type", "application/json")
            .header("X-Webhook-Signature", signature);
        if let Some(event_id) = self.header {
            request = request.header("X-Event-ID", event_id.to_string());
        }
        let begun = Instant::now();
        let sent = request.body(self.body).send().await.map_err(reqwest::Error::without_url);
        let response = sent.with_context(|| {
            format!(
                "no answer from {address}: is a gateway running there, and is its port open to this machine?"
            )
        })?;
        let status = response.status();
        let body = response.text().await.context("the gateway's answer broke off")?;
        let reason = status.canonical_reason().unwrap_or_default();
        Ok(Answer { status: status.as_u16(), reason, body, took: begun.elapsed() })
    }
}

impl Answer {
    /// Whether FaithFlow counts it as delivered.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// What to do about a refusal, by its text; by its status where something else than a gateway
    /// answered.
    pub(crate) fn advice(&self) -> &'static str {
        let detail = serde_json::from_str::<serde_json::Value>(&self.body)
            .ok()
            .and_then(|answer| Some(answer.get("detail")?.as_str()?.to_owned()));
        match (self.status, detail.as_deref()) {
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
                "The gateway cannot queue events: `faithctl doctor` looks at RabbitMQ, and the gateway's /readyz says why."
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
}

impl Logged {
    /// Waits until a worker has brought the event to its end, or is retrying it; none where that takes longer than `limit`.
    pub(crate) async fn wait(
        client: &Client,
        event_id: Uuid,
        limit: Duration,
    ) -> Result<Option<Self>, DatabaseError> {
        let found = timeout(limit, async {
            loop {
                let row = client
                    .query_opt(
                        "SELECT status, message, error FROM webhook_logs WHERE event_id = $1
                         ORDER BY received_at DESC LIMIT 1",
                        &[&event_id.to_string()],
                    )
                    .await
                    .map_err(DatabaseError::during("look for the webhook's row in the log"))?;
                if let Some(row) = row {
                    let (status, message, error) =
                        (row.get("status"), row.get("message"), row.get("error"));
                    return Ok(Self { status, message, error });
                }
                sleep(LOOK_EVERY).await;
            }
        });
        found.await.map_or(Ok(None), |row| row.map(Some))
    }

    /// `processed: Member updated: NAME`.
    pub(crate) fn in_words(&self) -> String {
        let parts = [Some(&self.status), self.message.as_ref(), self.error.as_ref()];
        parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(": ")
    }
}

async fn secret(client: &Client, sealer: &Sealer, id: Uuid) -> anyhow::Result<Secret> {
    let row = client
        .query_one("SELECT webhook_secret_sealed FROM sync_configs WHERE campus_id = $1", &[&id])
        .await
        .map_err(DatabaseError::during("read the webhook secret"))?;
    sealer.open(id, Purpose::WebhookSecret, row.get(0)).context("cannot open the webhook secret")
}

/// Lowercase hex of the HMAC-SHA256 of the body, as the seed guide has it.
fn signature(secret: &Secret, body: &[u8]) -> anyhow::Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())?;
    mac.update(body);
    Ok(hex::encode(mac.finalize().into_bytes()))
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
        let advice = |status, body: &str| {
            let took = Duration::ZERO;
            Answer { status, reason: "", body: body.to_owned(), took }.advice()
        };
        let invalid = advice(401, r#"{"detail":"Invalid webhook signature"}"#);
        assert!(invalid.contains("SECRETS_KEY"));
        assert!(
            advice(404, r#"{"detail":"Sync not configured for this campus"}"#).contains("database")
        );
        assert!(advice(404, "<html>").contains("path"));
        assert!(advice(403, r#"{"detail":"Sync is disabled for this campus"}"#).contains("enable"));
    }
}
