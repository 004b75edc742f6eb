//! `faithctl dead-letters discard`

use clap::Args;
use database::Client;
use indicatif::HumanCount;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{
    progress::{Progress, letters},
    selection::{Selected, Selection, SelectionFilter},
};
use crate::{
    confirm,
    environment::Environment,
    failure::{Interrupted, say},
    input::note,
    output,
};

/// Letters a transaction.
const BATCH: usize = 500;

/// Gives open letters up, for good: neither a replay nor a late success changes them any more.
///
/// The event is discarded in the log of deliveries too. The rows stay, with the note.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    faithctl dead-letters discard --cause member_not_found --until 7d --note 'purged in the core' --dry-run\n  \
    faithctl dead-letters discard --cause invalid_event --note 'test messages' --yes\n  \
    faithctl dead-letters discard --id 01936d4e-5f0a-7c3e-9b1d-2a4c6e8f0a1b --note 'sent by mistake'")]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) selection: Selection,
    /// Why, for whoever looks at it later
    #[arg(long, value_name = "TEXT", value_parser = note)]
    note: String,
    /// Say how many would be discarded, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Print a JSON object with the numbers
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(
    arguments: &Arguments,
    environment: &Environment,
    interrupted: &CancellationToken,
) -> anyhow::Result<()> {
    arguments.selection.check()?;
    if !arguments.dry_run {
        confirm::require(arguments.yes)?;
    }
    let mut client = environment.client().await?;
    let filter = SelectionFilter { events_only: false, replaying_too: false };
    let chosen = arguments.selection.choose(&client, filter).await?;
    if arguments.dry_run {
        return report(arguments, &chosen, 0);
    }
    let question = format!("Discard {} for good", chosen.in_words(&client).await?);
    confirm::ask(&question, environment, arguments.yes, interrupted).await?;
    let mut discarded = 0;
    let result = discard(&mut client, &chosen, &arguments.note, interrupted, &mut discarded).await;
    report(arguments, &chosen, discarded)?;
    if result.is_err() {
        say("the rest stays open: the same command again goes on with it");
    }
    result
}

async fn discard(
    client: &mut Client,
    chosen: &Selected,
    note: &str,
    interrupted: &CancellationToken,
    discarded: &mut usize,
) -> anyhow::Result<()> {
    let mut progress = Progress::new("discarded", chosen.ids.len());
    for batch in chosen.ids.chunks(BATCH) {
        if interrupted.is_cancelled() {
            progress.finish();
            return Err(Interrupted.into());
        }
        let number = store::dead_letters::discard(client, batch, chosen.at, note).await?;
        *discarded += usize::try_from(number).unwrap_or(0);
        progress.advance(batch.len());
    }
    progress.finish();
    Ok(())
}

fn report(arguments: &Arguments, chosen: &Selected, discarded: usize) -> anyhow::Result<()> {
    let matched = chosen.ids.len();
    let numbers = |number: usize| HumanCount(number as u64);
    if arguments.json {
        return output::object(&json!({
            "matched": matched,
            "discarded": discarded,
            "dry_run": arguments.dry_run,
        }));
    }
    if arguments.dry_run {
        return output::line(&format!("would discard {}", letters(matched)));
    }
    output::line(&format!("discarded {} of {}", numbers(discarded), letters(matched)))
}
