//! `faithctl members resync`

use ::operations::{MemberChoice, parse_rate};
use chrono::{DateTime, Utc};
use clap::{
    Args,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use database::Client;
use indicatif::HumanCount;
use serde_json::json;
use store::{
    CampusReference, DeliveryStatus, OperationKind, operations::MemberFilters,
    records::OperationRecord,
};
use tokio_util::sync::CancellationToken;

use crate::{
    campus::{find_optional_campus, load_campus},
    confirm,
    environment::Environment,
    failure::{UsageError, say},
    moment,
    operations::{Followed, Request, counted, is_of, requester, watch_requested},
    output::{self, Format},
};

/// More ids than these are no choice by hand.
const MOST_IDS: usize = 1_000;

/// Fetches members anew from their core: by their ids, by past deliveries, or with --campus alone all of a campus.
///
/// It is an operation: a worker carries it out. For each member an event of our own goes into the work queue, as if the
/// core had said that the member was changed: filter, photo and archive follow as always, and a row in `deliveries list`
/// whose event id names the operation tells what became of it. A whole campus is better compared than fetched:
/// `faithctl runs request CAMPUS`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    faithctl members resync --campus 'GKBJ Kebon Jeruk' --id 8655d76b-9be0-4681-bd2c-35cd5e09a809\n  \
    faithctl members resync --status stale --status discarded --since 24h --dry-run\n  \
    faithctl members resync --campus 'GKBJ Kebon Jeruk' --rate 20/s --yes")]
pub(super) struct Arguments {
    /// Members of this campus: its id, or its name where only one has it
    #[arg(long, value_name = "CAMPUS")]
    campus: Option<CampusReference>,
    /// Only these, by the core's ids; several may follow
    #[arg(long = "id", value_name = "M", num_args = 1.., requires = "campus",
          conflicts_with_all = ["member", "event_type", "status", "since", "until"])]
    ids: Vec<String>,
    /// Of whom there was a delivery about this member, by the core's id
    #[arg(long, value_name = "M")]
    member: Option<String>,
    /// Of whom there was a delivery of this event type
    #[arg(long, value_name = "TYPE")]
    event_type: Option<String>,
    /// Of whom there was a delivery in this status; several may be given
    #[arg(long, value_name = "STATUS", value_parser = statuses(), value_delimiter = ',')]
    status: Vec<DeliveryStatus>,
    /// Of whom there was a delivery since: so long ago (30m, 1h, 7d), or a time such as 2026-11-20T01:40:00Z
    #[arg(long, value_name = "WHEN", value_parser = moment::parse)]
    since: Option<DateTime<Utc>>,
    /// Of whom there was a delivery before: so long ago, or a time
    #[arg(long, value_name = "WHEN", value_parser = moment::parse)]
    until: Option<DateTime<Utc>>,
    #[command(flatten)]
    request: Request,
    /// Say how many would be fetched, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// At most so many a second, such as 50/s; `faithctl operations set-rate` changes it
    #[arg(long, value_name = "N/s", value_parser = parse_rate)]
    rate: Option<u32>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    output: Format,
}

fn statuses() -> impl TypedValueParser<Value = DeliveryStatus> {
    let values =
        DeliveryStatus::ALL.map(|status| PossibleValue::new(status.as_str()).help(status.help()));
    PossibleValuesParser::new(values)
        .try_map(|text| DeliveryStatus::parse(&text).ok_or("no such status"))
}

pub(super) async fn run(
    arguments: &Arguments,
    environment: &Environment,
    interrupted: &CancellationToken,
) -> anyhow::Result<()> {
    if arguments.ids.len() > MOST_IDS {
        return Err(UsageError::new(format!("--id: at most {MOST_IDS} at once")).into());
    }
    if let Some(wrong) = arguments.ids.iter().find(|id| !event::is_member_id(id)) {
        return Err(UsageError::new(format!("--id: {wrong:?} is no member's id")).into());
    }
    if !arguments.dry_run {
        confirm::require(arguments.yes)?;
    }
    let client = environment.client().await?;
    let kind = OperationKind::Resync;
    let before = if arguments.dry_run {
        None
    } else {
        arguments.request.asked_before(&client, kind).await?
    };
    if let Some(operation) = before {
        return watch(arguments, operation, client, environment, interrupted).await;
    }
    let campus_id = find_optional_campus(arguments.campus.as_ref(), &client).await?;
    let statuses: Vec<String> =
        arguments.status.iter().map(|status| status.as_str().to_owned()).collect();
    let filters = MemberFilters {
        campus_id,
        member_ids: (!arguments.ids.is_empty()).then(|| arguments.ids.clone()),
        member_id: arguments.member.clone(),
        event_type: arguments.event_type.clone(),
        statuses: (!statuses.is_empty()).then_some(statuses),
        since: arguments.since,
        until: arguments.until,
    };
    if filters == MemberFilters::default() {
        return Err(UsageError::new(
            "say which members: --campus, with or without --id, or filters of past deliveries",
        )
        .into());
    }
    if let Some(id) = campus_id {
        let campus = load_campus(&client, id).await?;
        anyhow::ensure!(
            campus.is_enabled,
            "campus {id} is disabled: its events would only be dead letters. `faithctl campus enable {id}` first"
        );
        if campus.paused_at.is_some() {
            say(&format!(
                "campus {id} is paused: its members are fetched when it is resumed (`faithctl campus resume {id}`)"
            ));
        }
    }
    let choice = MemberChoice { filters };
    let preview = choice.preview(&client).await?;
    anyhow::ensure!(preview.matched > 0, "No members match, of campuses that are enabled");
    if arguments.dry_run {
        return report(arguments, preview.matched, None);
    }
    let question = format!("Fetch {} anew", members(preview.matched));
    confirm::ask(&question, environment, arguments.yes, interrupted).await?;
    let rate = arguments.rate.and_then(|rate| i32::try_from(rate).ok());
    let by = requester(&arguments.request);
    let operation = is_of(choice.request(&client, &preview, rate, by).await?, kind)?;
    watch(arguments, operation, client, environment, interrupted).await
}

/// What becomes of it, where that is watched.
async fn watch(
    arguments: &Arguments,
    operation: OperationRecord,
    client: Client,
    environment: &Environment,
    interrupted: &CancellationToken,
) -> anyhow::Result<()> {
    let followed =
        watch_requested(&arguments.request, operation, "queued", client, environment, interrupted)
            .await?;
    report(arguments, followed.operation.matched.unwrap_or(0), Some(&followed))?;
    followed.verdict()
}

fn members(number: i64) -> String {
    counted(number.unsigned_abs(), "member")
}

fn report(arguments: &Arguments, matched: i64, followed: Option<&Followed>) -> anyhow::Result<()> {
    let done = followed.map_or(0, Followed::done);
    if arguments.output.is_json() {
        return output::object(&json!({
            "matched": matched,
            "queued": done,
            "dry_run": arguments.dry_run,
            "operation_id": followed.map(|followed| followed.operation.id),
        }));
    }
    output::line(&match followed {
        None => format!("would fetch {}", members(matched)),
        Some(followed) if arguments.request.detach => {
            format!("operation {} fetches {}", followed.operation.id, members(matched))
        }
        Some(_) => format!("{} of {} are in the work queue", HumanCount(done), members(matched)),
    })
}
