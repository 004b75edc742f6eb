//! One webhook, from its sender to the row that it makes.

use std::time::Duration;

use anyhow::{Context, bail};
use core_sim::{DEFAULT_PASSWORD, WebhookBody, sign};
use database::Client;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{demo::Demo, product::Product};

/// How long an event may take through everything; it takes milliseconds.
const PROCESSED_WITHIN: Duration = Duration::from_secs(30);
/// How often the log is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The columns that are shown.
const COLUMNS: &str = "external_member_id, name, phone, birth_date, age, category, is_archived";

/// A webhook about a member of the simulated core.
pub(super) struct FirstWebhook<'a> {
    product: &'a Product,
    demo: &'a Demo,
    http: reqwest::Client,
}

/// An event that the gateway has accepted.
pub(super) struct Accepted {
    member_id: String,
    event_id: String,
}

/// A row: column names with their texts, in order.
pub(super) struct MemberRow(pub(super) Vec<(String, String)>);

impl<'a> FirstWebhook<'a> {
    pub(super) fn new(product: &'a Product, demo: &'a Demo) -> Self {
        Self { product, demo, http: reqwest::Client::new() }
    }

    /// Signs and posts it.
    pub(super) async fn send(&self) -> anyhow::Result<Accepted> {
        let member_id = self.choose_member().await?;
        let body =
            WebhookBody::new("member.created", &self.product.church_id, &member_id).to_bytes();
        let answer = self
            .http
            .post(self.product.webhook_url())
            .header("Content-Type", "application/json")
            .header("X-Webhook-Signature", sign(&self.demo.secret, &body))
            .body(body)
            .send()
            .await
            .context("the gateway does not answer")?;
        let status = answer.status();
        let text = answer.text().await.context("the gateway broke off its answer")?;
        if status != 202 {
            bail!("the gateway answered {status}: {text}");
        }
        let answer: Value = serde_json::from_str(&text).context("the gateway answered no JSON")?;
        let event_id = answer["event_id"].as_str().context("the answer has no event_id")?;
        Ok(Accepted { event_id: event_id.to_owned(), member_id })
    }

    /// An active member whose row has something to show, asked of the core as anyone would ask.
    async fn choose_member(&self) -> anyhow::Result<String> {
        let core = self.product.core_url();
        let account = json!({"email": self.demo.email, "password": DEFAULT_PASSWORD});
        let members: Value = async {
            let login = self.http.post(format!("{core}/api/auth/login")).json(&account);
            let login: Value = login.send().await?.error_for_status()?.json().await?;
            let token = login["access_token"].as_str().unwrap_or_default();
            let list = self.http.get(format!("{core}/api/members/?limit=100")).bearer_auth(token);
            list.send().await?.error_for_status()?.json().await
        }
        .await
        .map_err(|error: reqwest::Error| error)
        .context("the simulated core does not list its members")?;
        let presentable = |member: &&Value| {
            member["is_active"] == true
                && member["phone_whatsapp"].is_string()
                && member["member_status"].is_string()
                && member["date_of_birth"].as_str().is_some_and(|date| date < "2020")
        };
        let members = members.as_array().context("the simulated core's list is no list")?;
        let member = members.iter().find(presentable).or_else(|| members.first());
        let id = member.and_then(|member| member["id"].as_str());
        Ok(id.context("the simulated core has no members")?.to_owned())
    }
}

impl Accepted {
    /// Waits until the event is done, and reads the row it made.
    pub(super) async fn row(&self, client: &Client) -> anyhow::Result<MemberRow> {
        self.processed(client).await?;
        let query = format!(
            "SELECT to_jsonb(row)::text FROM (SELECT {COLUMNS} FROM members
             WHERE external_member_id = $1 ORDER BY updated_at DESC LIMIT 1) row"
        );
        let row = client
            .query_opt(&query, &[&self.member_id])
            .await
            .context("cannot read the member")?
            .context("the event was processed, but there is no member row")?;
        let row: Value = serde_json::from_str(row.get(0)).context("the row is no JSON")?;
        // In the order of the columns; an object has an order of its own.
        let columns = COLUMNS.split(", ").map(|name| (name.to_owned(), text(&row[name])));
        Ok(MemberRow(columns.collect()))
    }

    async fn processed(&self, client: &Client) -> anyhow::Result<()> {
        let deadline = Instant::now() + PROCESSED_WITHIN;
        let mut seen = String::from("no delivery was logged");
        while Instant::now() < deadline {
            let row = client
                .query_opt(
                    "SELECT status, coalesce(error, message, '') FROM webhook_logs
                     WHERE event_id = $1 ORDER BY received_at LIMIT 1",
                    &[&self.event_id],
                )
                .await
                .context("cannot read the log of deliveries")?;
            if let Some(row) = row {
                let (status, why): (&str, &str) = (row.get(0), row.get(1));
                if status == "processed" {
                    return Ok(());
                }
                seen = format!("the delivery is logged as {status}: {why}");
                if status != "retrying" {
                    break;
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        bail!("{seen}")
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
