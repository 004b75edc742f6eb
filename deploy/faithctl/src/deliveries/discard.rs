//! `faithctl deliveries discard`

use chrono::{DateTime, Utc};
use clap::Args;
use database::{Client, DatabaseError, Error};
use indicatif::HumanCount;
use queue::REJECTIONS;
use retry::RetrySchedule;
use serde_json::json;
use status::{Instances, counted};
use store::{CampusReference, LostDeliveries};
use tokio_util::sync::CancellationToken;

use crate::{
    campus::find_optional_campus,
    confirm,
    environment::Environment,
    input::note,
    moment,
    output::{self, Format},
    status::queues,
};

/// Ends deliveries that are retrying although no queue holds their events any more: they were lost with it.
///
/// The rows stay, as discarded, with the note. Refuses while any queue holds an event, which may be
/// one of these; `dead-letters discard` is for what failed for good.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    faithctl deliveries discard --note 'lost with its queue' --dry-run\n  \
    faithctl deliveries discard --until 2026-11-20T01:40:00Z --note 'lost with its queue' --yes")]
pub(crate) struct Arguments {
    /// Only those of this campus: its id, or its name where only one has it
    #[arg(long, value_name = "CAMPUS")]
    campus: Option<CampusReference>,
    /// Only those received since: so long ago (30m, 1h, 7d), or a time such as 2026-11-20T01:40:00Z
    #[arg(long, value_name = "WHEN", value_parser = moment::parse)]
    since: Option<DateTime<Utc>>,
    /// Only those received before, such as when the queue was deleted: so long ago, or a time
    #[arg(long, value_name = "WHEN", value_parser = moment::parse)]
    until: Option<DateTime<Utc>>,
    /// Why, for whoever looks at it later
    #[arg(long, value_name = "TEXT", value_parser = note)]
    note: String,
    /// Say how many would be discarded, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    output: Format,
}

pub(super) async fn run(
    arguments: &Arguments,
    environment: &Environment,
    interrupted: &CancellationToken,
) -> anyhow::Result<()> {
    if !arguments.dry_run {
        confirm::require(arguments.yes)?;
    }
    let mut client = environment.client().await?;
    let lost = LostDeliveries {
        campus: find_optional_campus(arguments.campus.as_ref(), &client).await?,
        since: arguments.since,
        until: arguments.until.unwrap_or_else(Utc::now),
    };
    let matched = lost.count(&client).await?;
    anyhow::ensure!(matched > 0, "no delivery that is retrying matches");
    if arguments.dry_run {
        return report(arguments, matched, 0);
    }
    let question = format!("Discard {} for good", deliveries(matched));
    confirm::ask(&question, environment, arguments.yes, interrupted).await?;
    require_empty_queues(environment, &client).await?;
    let discarded = discard(&lost, &arguments.note, &mut client, environment)
        .await
        .map_err(DatabaseError::during("discard lost deliveries"))?;
    report(arguments, matched, discarded)
}

/// All of them, and the entry in the audit, or none.
async fn discard(
    lost: &LostDeliveries,
    note: &str,
    client: &mut Client,
    environment: &Environment,
) -> Result<u64, Error> {
    let transaction = client.transaction().await?;
    let mut discarded = 0;
    loop {
        match lost.discard_some(&transaction, note).await? {
            0 => break,
            some => discarded += some,
        }
    }
    let subject = json!({
        "since": lost.since,
        "until": lost.until,
        "note": note,
        "discarded": discarded,
    });
    environment.change().commit(transaction, lost.campus, &subject).await?;
    Ok(discarded)
}

/// An event that a queue holds comes to its end by itself. What it is cannot be seen without taking it.
async fn require_empty_queues(environment: &Environment, client: &Client) -> anyhow::Result<()> {
    let instances = Instances::load(client).await?;
    let delays = RetrySchedule::from_settings(environment.settings())?.delays();
    let retries = queues::retry_queues(Some(&instances), &delays);
    let states = queues::ask(&environment.broker()?, &retries).await?;
    for queue in states.iter().filter(|queue| queue.name != REJECTIONS) {
        match queue.messages {
            Some(0) => {}
            Some(messages) => anyhow::bail!(
                "{} holds {}, which may be of these deliveries: nothing was changed. Try again when \
                 `faithctl status` shows no event in any queue",
                queue.name,
                counted(messages.into(), "message", "messages"),
            ),
            None => anyhow::bail!(
                "RabbitMQ does not tell this user whether {} holds events: nothing was changed",
                queue.name
            ),
        }
    }
    Ok(())
}

fn report(arguments: &Arguments, matched: u64, discarded: u64) -> anyhow::Result<()> {
    if arguments.output.is_json() {
        return output::object(&json!({
            "matched": matched,
            "discarded": discarded,
            "dry_run": arguments.dry_run,
        }));
    }
    if arguments.dry_run {
        return output::line(&format!("would discard {}", deliveries(matched)));
    }
    output::line(&format!("discarded {} of {}", HumanCount(discarded), deliveries(matched)))
}

fn deliveries(number: u64) -> String {
    counted(i64::try_from(number).unwrap_or(i64::MAX), "delivery", "deliveries")
}
