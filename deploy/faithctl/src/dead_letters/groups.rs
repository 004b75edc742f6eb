//! `faithctl dead-letters groups`

use std::io::IsTerminal;

use clap::Args;
use store::{DeadLetterStatus, records::DeadLetterGroup};

use super::{advice::advice_for, filters::Filters};
use crate::{
    environment::Environment,
    failure::say,
    listing, moment,
    output::{Column, Format},
};

/// Groups open letters by cause, event type and campus, the largest group first.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    faithctl dead-letters groups\n  \
    faithctl dead-letters groups --since 1h\n  \
    faithctl dead-letters groups --status replaying")]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) filters: Filters,
    /// Maximum number of groups
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    #[command(flatten)]
    output: Format,
}

pub(super) async fn run(arguments: &Arguments, environment: &Environment) -> anyhow::Result<()> {
    let client = environment.client().await?;
    let filter = arguments.filters.filter(Some(DeadLetterStatus::Open));
    let groups = DeadLetterGroup::list(&client, &filter, arguments.limit).await?;
    let columns = [
        Column::new("count", |group: &DeadLetterGroup| group.count.to_string()),
        Column::new("cause", |group| group.cause.clone()),
        Column::under("cause", "event_type", |group| {
            group.event_type.clone().unwrap_or_else(|| "-".to_owned())
        }),
        Column::new("campus", |group| group.campus_name.clone().unwrap_or_else(|| "-".to_owned())),
        Column::under("campus", "campus_id", |group| {
            group.campus_id.map_or_else(|| "-".to_owned(), |id| id.to_string())
        }),
        Column::under("cause", "oldest", |group| moment::show(group.oldest)),
        Column::under("cause", "newest", |group| moment::show(group.newest)),
        Column::under("count", "replayed", |group| group.replayed.to_string()),
    ];
    listing::write("no dead letter matches", &groups, &columns, arguments.output)?;
    if !arguments.output.is_json() && std::io::stdout().is_terminal() {
        advise(&groups);
    }
    Ok(())
}

/// Says what to do about each cause, for people.
fn advise(groups: &[DeadLetterGroup]) {
    let total: i64 = groups.iter().map(|group| group.count).sum();
    say(&format!("\n{total} in all. What to do, by cause:"));
    let mut causes: Vec<&str> = Vec::new();
    for group in groups {
        if !causes.contains(&group.cause.as_str()) {
            causes.push(&group.cause);
        }
    }
    for cause in causes {
        if let Some(advice) = advice_for(cause) {
            say(&format!("  {cause}: {advice}"));
        }
    }
}
