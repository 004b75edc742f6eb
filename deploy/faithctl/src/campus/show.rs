//! `faithctl campus show`

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;
use status::SECRET_AGE;
use store::records::{CampusRecord, DeliveryCounts};

use super::{CampusId, webhook, webhook_url};
use crate::{
    environment::Environment,
    failure::say,
    moment,
    output::{self, Format, Sheet},
};

/// Shows everything about a campus but its secrets.
#[derive(Debug, Args)]
#[command(after_help = "A webhook secret is shown once, when it is made. A lost one is replaced \
    with `faithctl campus rotate-secret`.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(super) campus: CampusId,
    #[command(flatten)]
    output: Format,
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    campus: &'a CampusRecord,
    webhook_path: &'static str,
    webhook_url: Option<String>,
    /// Deliveries of the last 24 hours, by status.
    deliveries: BTreeMap<String, i64>,
    /// Where these are too many to be counted: those received since are.
    deliveries_since: Option<DateTime<Utc>>,
}

pub(super) async fn run(arguments: &Arguments, environment: &Environment) -> anyhow::Result<()> {
    let public_url = environment.public_url()?;
    let client = environment.client().await?;
    let campus = super::load_campus(&client, arguments.campus.id).await?;
    let DeliveryCounts { by_status, since } = campus.deliveries_of_a_day(&client).await?;
    let shown = Shown {
        campus: &campus,
        webhook_path: webhook::PATH,
        webhook_url: public_url.as_ref().map(|url| webhook_url(url).to_string()),
        deliveries: by_status,
        deliveries_since: since,
    };
    if arguments.output.is_json() {
        return output::object(&shown);
    }
    sheet(&shown).print()?;
    if Utc::now() - campus.webhook_secret_set_at > SECRET_AGE {
        say(&format!(
            "\nThe webhook secret is {} old; every 90 days a new one is good practice:\n  \
             faithctl campus rotate-secret {}",
            moment::age(campus.webhook_secret_set_at),
            campus.id
        ));
    }
    Ok(())
}

fn sheet(shown: &Shown<'_>) -> Sheet {
    let campus = shown.campus;
    let webhook = shown.webhook_url.as_ref().map_or(shown.webhook_path, String::as_str);
    let deliveries: Vec<String> =
        shown.deliveries.iter().map(|(status, count)| format!("{count} {status}")).collect();
    Sheet::default()
        .with("campus_id", campus.id)
        .with("name", &campus.name)
        .with("timezone", &campus.timezone)
        .with("is_enabled", campus.is_enabled)
        .with_some("paused", paused(campus))
        .with("core_church_id", &campus.core_church_id)
        .with("webhook", webhook)
        .with("webhook_secret_set_at", with_age(campus.webhook_secret_set_at))
        .with_some(
            "previous_secret_expires_at",
            campus
                .previous_secret_expires_at
                .map(|end| format!("{} (both work until then)", moment::show(end))),
        )
        .with("rate_limit", or_off(campus.rate_limit.map(|limit| format!("{limit}/s"))))
        .with("api_base_url", &campus.api_base_url)
        .with("api_path_prefix", &campus.api_path_prefix)
        .with("api_login_path", &campus.api_login_path)
        .with("api_members_path", &campus.api_members_path)
        .with("api_email", &campus.api_email)
        .with("default_country", &campus.default_country)
        .with("filter_mode", &campus.filter_mode)
        .with("filter_rules", &campus.filter_rules)
        .with("reconciliation", if campus.reconciliation_enabled { "on" } else { "off" })
        .with("reconciliation_time", format!("{} {}", campus.reconciliation_time, campus.timezone))
        .with("reconcile_every", or_off(campus.reconcile_every))
        .with("archive_limit", format!("{}%", campus.archive_limit))
        .with("link_members", if campus.link_members { "on" } else { "off" })
        .with("last_sync_at", campus.last_sync_at.map_or_else(|| "never".to_owned(), with_age))
        .with_some("last_sync_status", campus.last_sync_status.as_ref())
        .with_some("last_sync_message", campus.last_sync_message.as_ref())
        .with(
            "deliveries in 24 h",
            match (deliveries.as_slice(), shown.deliveries_since) {
                ([], _) => "none".to_owned(),
                (some, None) => some.join(", "),
                (some, Some(since)) => format!("{} since {}", some.join(", "), moment::show(since)),
            },
        )
        .with("created_at", moment::show(campus.created_at))
        .with("updated_at", moment::show(campus.updated_at))
}

fn with_age(at: DateTime<Utc>) -> String {
    format!("{} ({} ago)", moment::show(at), moment::age(at))
}

/// Since when, and by whom.
fn paused(campus: &CampusRecord) -> Option<String> {
    let since = with_age(campus.paused_at?);
    let by = campus.paused_by.as_deref().unwrap_or("-");
    Some(format!("since {since} by {by}: `faithctl campus resume` ends it"))
}

fn or_off(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "off".to_owned(), |value| value.to_string())
}
