//! `faithctl dead-letters export`

use clap::Args;
use store::records::DeadLetterRecord;

use super::filters::Filters;
use crate::{environment::Environment, failure::say, output};

/// Letters read at once: an export is as long as the table, and memory is not.
const PAGE: usize = 1_000;

/// Writes all letters that match, one JSON object a line, those that died first first.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    faithctl dead-letters export --status open > letters.jsonl\n  \
    faithctl dead-letters export --since 24h | jq -r .member_id | sort -u")]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) filters: Filters,
    /// Maximum number of rows
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// One JSON object a line is the only form
    #[arg(long, hide = true)]
    json: bool,
}

pub(super) async fn run(arguments: &Arguments, environment: &Environment) -> anyhow::Result<()> {
    let client = environment.client().await?;
    let ids = arguments.filters.filter(None).ids(&client, arguments.limit).await?;
    if ids.is_empty() {
        say("no dead letter matches");
    }
    // Read page by page, not as one statement that lasts as long as its reader takes.
    for page in ids.chunks(PAGE) {
        let letters = DeadLetterRecord::load(&client, page).await?;
        output::object_lines(&letters)?;
    }
    Ok(())
}
