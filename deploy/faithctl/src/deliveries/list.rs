//! `faithctl deliveries list`

use chrono::{DateTime, Utc};
use clap::{
    Args,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use store::{
    CampusReference, DeliveryStatus,
    records::{DeliveryFilter, DeliveryRecord},
};

use crate::{
    campus::find_optional_campus,
    environment::Environment,
    input,
    listing::{self, Page},
    moment,
    output::{Column, Format},
};

/// Lists deliveries, the newest first.
///
/// Accepted deliveries are listed from their first attempt on: what waits in the queue is counted
/// by `faithctl status`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    faithctl deliveries list --limit 50\n  \
    faithctl deliveries list --status dead,retrying --since 1h\n  \
    faithctl deliveries list --cause wrong_church --limit 100\n  \
    faithctl deliveries list --member 8655d76b-9be0-4681-bd2c-35cd5e09a809 --json")]
pub(crate) struct Arguments {
    /// Filter by campus: its id, or its name where only one has it
    #[arg(long, value_name = "CAMPUS")]
    campus: Option<CampusReference>,
    /// Filter by member, by the core's id
    #[arg(long, value_name = "ID")]
    member: Option<String>,
    /// Filter by event type, such as member.updated
    #[arg(long, value_name = "TYPE")]
    event_type: Option<String>,
    /// Filter by status; several are separated by commas, or given one by one
    #[arg(long, value_name = "STATUS", value_parser = statuses(), value_delimiter = ',')]
    status: Vec<DeliveryStatus>,
    /// Filter by the cause of the dead letter, whatever became of it
    #[arg(long, value_name = "CAUSE", value_parser = input::causes())]
    cause: Option<String>,
    /// Only those received since: so long ago (30m, 1h, 7d), or a time such as 2026-11-20T01:40:00Z
    #[arg(long, value_name = "WHEN", value_parser = moment::parse)]
    since: Option<DateTime<Utc>>,
    /// Only those received before: so long ago, or a time
    #[arg(long, value_name = "WHEN", value_parser = moment::parse)]
    until: Option<DateTime<Utc>>,
    #[command(flatten)]
    page: Page,
    /// Maximum number of rows
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    #[command(flatten)]
    output: Format,
}

fn statuses() -> impl TypedValueParser<Value = DeliveryStatus> {
    let values =
        DeliveryStatus::ALL.map(|status| PossibleValue::new(status.as_str()).help(status.help()));
    PossibleValuesParser::new(values)
        .try_map(|text| DeliveryStatus::parse(&text).ok_or("no such status"))
}

pub(super) async fn run(arguments: &Arguments, environment: &Environment) -> anyhow::Result<()> {
    let client = environment.client().await?;
    let filter = DeliveryFilter {
        campus: find_optional_campus(arguments.campus.as_ref(), &client).await?,
        member: arguments.member.clone(),
        event_type: arguments.event_type.clone(),
        statuses: arguments.status.clone(),
        cause: arguments.cause.clone(),
        since: arguments.since,
        until: arguments.until,
    };
    let find =
        async |id| Ok(DeliveryRecord::by_id(&client, id).await?.map(|delivery| delivery.place()));
    let after = arguments.page.place("delivery", find).await?;
    let limit = arguments.limit.saturating_add(1);
    let deliveries = DeliveryRecord::list(&client, &filter, after.as_ref(), limit).await?;
    let columns = [
        Column::new("received_at", |delivery: &DeliveryRecord| moment::show(delivery.received_at)),
        Column::new("event_type", |delivery| delivery.event_type.clone()),
        Column::under("event_type", "event_id", |delivery| delivery.event_id.clone()),
        Column::under("event_type", "member_id", |delivery| {
            delivery.member_id.clone().unwrap_or_else(|| "-".to_owned())
        }),
        Column::under("received_at", "status", |delivery| delivery.status.clone()),
        Column::under("received_at", "attempts", |delivery| delivery.attempts.to_string()),
        Column::new("message", outcome),
        Column::wide("id", |delivery| delivery.id.to_string()),
        Column::wide("campus_id", |delivery| delivery.campus_id.to_string()),
        Column::wide("processed_at", |delivery| moment::show_optional(delivery.processed_at)),
        Column::wide("trace_id", |delivery| {
            delivery.trace_id.clone().unwrap_or_else(|| "-".to_owned())
        }),
    ];
    listing::write_page(
        "no delivery matches",
        deliveries,
        arguments.limit,
        |delivery| delivery.id,
        &columns,
        arguments.output,
    )
}

/// What happened, or why not: one of the two is usually there.
fn outcome(delivery: &DeliveryRecord) -> String {
    let parts: Vec<&str> =
        [&delivery.message, &delivery.error].into_iter().flatten().map(String::as_str).collect();
    if parts.is_empty() { "-".to_owned() } else { parts.join(": ") }
}
