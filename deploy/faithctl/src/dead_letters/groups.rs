//! `faithctl dead-letters groups`

use std::io::IsTerminal;

use chrono::{DateTime, Utc};
use clap::Args;
use database::{DatabaseError, Row};
use serde::Serialize;
use store::DeadLetterStatus;
use uuid::Uuid;

use super::{
    advice::advice_for,
    filters::{CONDITION, Filters},
};
use crate::{environment::Environment, failure::say, listing, moment, output::Column};

/// Groups open letters by cause, event type and campus, the largest group first.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    faithctl dead-letters groups\n  \
    faithctl dead-letters groups --since 1h\n  \
    faithctl dead-letters groups --status replaying")]
pub(super) struct Arguments {
    #[command(flatten)]
    filters: Filters,
    /// At most so many groups
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Print a JSON array of objects
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Group {
    cause: String,
    event_type: Option<String>,
    campus_id: Option<Uuid>,
    campus_name: Option<String>,
    count: i64,
    oldest: DateTime<Utc>,
    newest: DateTime<Utc>,
    /// How many of them were replayed before and failed again.
    replayed: i64,
}

impl Group {
    fn from_row(row: &Row) -> Self {
        Self {
            cause: row.get("cause"),
            event_type: row.get("event_type"),
            campus_id: row.get("campus_id"),
            campus_name: row.get("campus_name"),
            count: row.get("count"),
            oldest: row.get("oldest"),
            newest: row.get("newest"),
            replayed: row.get("replayed"),
        }
    }
}

pub(super) async fn run(arguments: &Arguments, environment: &Environment) -> anyhow::Result<()> {
    let client = environment.client().await?;
    let parameters = arguments.filters.parameters(Some(DeadLetterStatus::Open));
    let rows = client
        .query(
            &format!(
                "SELECT d.cause, d.event_type, d.campus_id, c.name AS campus_name, count(*) AS count,
                        min(d.dead_at) AS oldest, max(d.dead_at) AS newest,
                        count(*) FILTER (WHERE d.replay_count > 0) AS replayed
                 FROM dead_letters d LEFT JOIN campuses c ON c.id = d.campus_id
                 WHERE {CONDITION}
                 GROUP BY d.cause, d.event_type, d.campus_id, c.name
                 ORDER BY count(*) DESC, min(d.dead_at), d.cause, d.event_type, d.campus_id
                 LIMIT $8"
            ),
            &parameters.with(&[&arguments.limit.map(i64::from)]),
        )
        .await
        .map_err(DatabaseError::during("group the dead letters"))?;
    let groups: Vec<Group> = rows.iter().map(Group::from_row).collect();
    let columns = [
        Column::new("count", |group: &Group| group.count.to_string()),
        Column::new("cause", |group| group.cause.clone()),
        Column::under("cause", "event_type", |group| {
            group.event_type.clone().unwrap_or_else(|| "-".to_owned())
        }),
        Column::new("campus", |group| group.campus_name.clone().unwrap_or_else(|| "-".to_owned())),
        Column::under("campus", "campus_id", |group| {
            group.campus_id.map_or_else(|| "-".to_owned(), |id| id.to_string())
        }),
        Column::new("oldest", |group| moment::show(group.oldest)),
        Column::under("oldest", "newest", |group| moment::show(group.newest)),
        Column::new("replayed", |group| group.replayed.to_string()),
    ];
    listing::write("no dead letter matches", &groups, &columns, arguments.json)?;
    if !arguments.json && std::io::stdout().is_terminal() {
        advise(&groups);
    }
    Ok(())
}

/// Says what to do about each cause, for people.
fn advise(groups: &[Group]) {
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
