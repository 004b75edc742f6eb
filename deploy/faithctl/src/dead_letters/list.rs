//! `faithctl dead-letters list`

use clap::Args;
use store::records::DeadLetterRecord;

use super::filters::Filters;
use crate::{
    environment::Environment,
    listing::{self, Page},
    moment,
    output::{Column, Format},
};

/// Lists letters, those that died last first; of every status unless one is asked for.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    faithctl dead-letters list --status open\n  \
    faithctl dead-letters list --cause wrong_church --since 1h --limit 200\n  \
    faithctl dead-letters list --member 8655d76b-9be0-4681-bd2c-35cd5e09a809 --json")]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) filters: Filters,
    #[command(flatten)]
    page: Page,
    /// Maximum number of rows
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    #[command(flatten)]
    output: Format,
}

pub(super) async fn run(arguments: &Arguments, environment: &Environment) -> anyhow::Result<()> {
    let client = environment.client().await?;
    let filter = arguments.filters.filter(None);
    let find = async |id| {
        Ok(DeadLetterRecord::load(&client, &[id]).await?.pop().map(|letter| letter.place()))
    };
    let after = arguments.page.place("dead letter", find).await?;
    let limit = arguments.limit.saturating_add(1);
    let letters = DeadLetterRecord::list(&client, &filter, after.as_ref(), limit).await?;
    listing::write_page(
        "no dead letter matches",
        letters,
        arguments.limit,
        |letter| letter.id,
        &columns(),
        arguments.output,
    )
}

fn columns() -> [Column<DeadLetterRecord>; 13] {
    [
        Column::new("dead_at", |letter: &DeadLetterRecord| moment::show(letter.dead_at)),
        Column::new("id", |letter| letter.id.to_string()),
        Column::under("id", "campus_id", |letter| {
            letter.campus_id.map_or_else(|| "-".to_owned(), |id| id.to_string())
        }),
        Column::under("id", "member_id", |letter| {
            letter.member_id.clone().unwrap_or_else(|| "-".to_owned())
        }),
        Column::under("dead_at", "event_type", |letter| {
            letter.event_type.clone().unwrap_or_else(|| "-".to_owned())
        }),
        Column::under("dead_at", "status", |letter| letter.status.clone()),
        Column::under("dead_at", "replay_count", |letter| letter.replay_count.to_string()),
        Column::new("cause", |letter| letter.cause.clone()),
        Column::under("cause", "reason", |letter| letter.reason.clone()),
        Column::wide("event_id", |letter| {
            letter.event_id.clone().unwrap_or_else(|| "-".to_owned())
        }),
        Column::wide("received_at", |letter| moment::show_optional(letter.received_at)),
        Column::wide("replayed_at", |letter| moment::show_optional(letter.replayed_at)),
        Column::wide("note", |letter| letter.note.clone().unwrap_or_else(|| "-".to_owned())),
    ]
}
