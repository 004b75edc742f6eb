//! `faithctl dead-letters replay`

use std::time::Duration;

use ::operations::{LetterPreview, parse_rate};
use clap::Args;
use indicatif::HumanCount;
use runtime::parse_duration;
use serde_json::json;
use store::{OperationKind, operations::LetterEnds};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::selection::{Selection, in_words, letters, preview, unreadable_in_words};
use crate::{
    confirm,
    environment::Environment,
    failure::{Interrupted, Reported, say},
    operations::{Followed, Request, ends_in_words, is_of, requester, watch_requested},
    output::{self, Format},
};

/// Between two looks at what became of letters.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long Postgres may be away before the waiting ends.
const POSTGRES_TIME_LIMIT: Duration = Duration::from_mins(2);

/// Sends open letters through the workers again, those that died first first.
///
/// It is an operation: a worker carries it out, and goes on with it whatever becomes of this command, which only watches.
/// Takes what is open when it is asked for; what fails again meanwhile is left for the next. Two that are about the same
/// letters are carried out one after the other.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    faithctl dead-letters replay --cause core_unavailable --dry-run\n  \
    faithctl dead-letters replay --cause core_unavailable --since 24h\n  \
    faithctl dead-letters replay --campus 'GKBJ Kebon Jeruk' --rate 50/s --yes --wait\n  \
    faithctl dead-letters replay --status replaying --until 6h --dry-run\n  \
    faithctl dead-letters replay --id 01936d4e-5f0a-7c3e-9b1d-2a4c6e8f0a1b\n\n\
    Try a few first (`--limit 10`), and look at what became of them:\n  \
    faithctl operations show ID\n\n\
    Letters that were replayed already and came to no end are sent once more by --id, or with --status replaying, where\n\
    --since and --until say when they were sent.")]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) selection: Selection,
    #[command(flatten)]
    request: Request,
    /// Say how many would be replayed, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// At most so many a second, such as 50/s; `faithctl operations set-rate` changes it
    #[arg(long, value_name = "N/s", value_parser = parse_rate)]
    rate: Option<u32>,
    /// Wait until each has come to an end, and tell how many are resolved and how many failed again, by cause; exit
    /// code 1 unless all are resolved
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "10m", value_parser = duration,
          conflicts_with = "detach")]
    wait: Option<Duration>,
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
    arguments.selection.check(OperationKind::Replay)?;
    if !arguments.dry_run {
        confirm::require(arguments.yes)?;
    }
    let client = environment.client().await?;
    let kind = OperationKind::Replay;
    let choice = arguments.selection.choice(kind);
    if arguments.dry_run {
        return report_dry_run(arguments, &preview(&choice, &client).await?);
    }
    let before = arguments.request.asked_before(&client, kind).await?;
    let (operation, unreadable) = if let Some(operation) = before {
        (operation, 0)
    } else {
        let preview = preview(&choice, &client).await?;
        let question = format!("Replay {}", in_words(&preview));
        confirm::ask(&question, environment, arguments.yes, interrupted).await?;
        let rate = arguments.rate.and_then(|rate| i32::try_from(rate).ok());
        let by = requester(&arguments.request);
        let operation = choice.request(&client, &preview, rate, None, by).await?;
        (is_of(operation, kind)?, preview.unreadable)
    };
    let followed = watch_requested(
        &arguments.request,
        operation,
        "replayed",
        client,
        environment,
        interrupted,
    )
    .await?;
    let ends = match arguments.wait.filter(|_| followed.is_done()) {
        Some(limit) => Some(wait(environment, followed.operation.id, limit, interrupted).await?),
        None => None,
    };
    report(arguments, &followed, unreadable, ends.as_ref())?;
    followed.verdict()?;
    match ends {
        Some(ends) if interrupted.is_cancelled() && !ends.are_all_known() => {
            Err(Interrupted.into())
        }
        Some(ends) if !ends.are_good() => Err(Reported.into()),
        _ => Ok(()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "expected a duration such as 10m".to_owned())
}

/// Waits until all letters have come to an end, for at most `limit`, or until the command is interrupted.
async fn wait(
    environment: &Environment,
    operation: Uuid,
    limit: Duration,
    interrupted: &CancellationToken,
) -> anyhow::Result<LetterEnds> {
    let mut client = environment.client().await?;
    let deadline = Instant::now() + limit;
    let mut answered_at = Instant::now();
    loop {
        let ends = match LetterEnds::of(&client, operation).await {
            Ok(ends) => ends,
            // Postgres may be away for a moment; what was asked for goes on.
            Err(error) if answered_at.elapsed() > POSTGRES_TIME_LIMIT => return Err(error.into()),
            Err(_) => {
                if let Ok(another) = environment.client().await {
                    client = another;
                }
                if interrupted.is_cancelled() {
                    return Err(Interrupted.into());
                }
                interrupted.run_until_cancelled(sleep(LOOK_EVERY)).await;
                continue;
            }
        };
        answered_at = Instant::now();
        if ends.are_all_known() || Instant::now() >= deadline || interrupted.is_cancelled() {
            return Ok(ends);
        }
        interrupted.run_until_cancelled(sleep(LOOK_EVERY)).await;
    }
}

fn report_dry_run(arguments: &Arguments, preview: &LetterPreview) -> anyhow::Result<()> {
    if arguments.output.is_json() {
        output::object(&json!({
            "matched": preview.matched,
            "replayed": 0,
            "left": 0,
            "unreadable": preview.unreadable,
            "dry_run": true,
            "outcomes": null,
            "operation_id": null,
        }))?;
    } else {
        output::line(&format!("would replay {}", letters(preview.matched)))?;
    }
    say_unreadable(preview.unreadable);
    Ok(())
}

fn report(
    arguments: &Arguments,
    followed: &Followed,
    unreadable: i64,
    ends: Option<&LetterEnds>,
) -> anyhow::Result<()> {
    let operation = &followed.operation;
    let matched = operation.matched.unwrap_or(0);
    // What nobody has looked at yet was counted when it was asked for.
    let unreadable = operation.unreadable.max(unreadable);
    if arguments.output.is_json() {
        output::object(&json!({
            "matched": matched,
            "replayed": operation.done,
            "left": operation.skipped,
            "unreadable": unreadable,
            "dry_run": false,
            "outcomes": ends,
            "operation_id": operation.id,
        }))?;
    } else if arguments.request.detach {
        output::line(&format!("operation {} replays {}", operation.id, letters(matched)))?;
    } else {
        let done = HumanCount(followed.done());
        output::line(&format!("replayed {done} of {}", letters(matched)))?;
        if let Some(ends) = ends {
            output::line(&ends_in_words(ends))?;
        }
    }
    if operation.skipped > 0 {
        say(&format!(
            "{} were left: another operation took them, or they are no longer open",
            operation.skipped
        ));
    }
    say_unreadable(unreadable);
    Ok(())
}

fn say_unreadable(unreadable: i64) {
    if unreadable > 0 {
        say(unreadable_in_words(unreadable).trim_start_matches("; "));
    }
}
