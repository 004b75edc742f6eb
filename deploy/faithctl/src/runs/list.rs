//! `faithctl runs list`

use clap::Args;
use database::DatabaseError;
use uuid::Uuid;

use super::record::{Run, SELECT};
use crate::{environment::Environment, listing, moment, output::Column};

/// Lists reconciliation runs, the newest first.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  faithctl runs list --limit 30")]
pub(crate) struct Arguments {
    /// Only of this campus
    #[arg(long, value_name = "ID")]
    campus: Option<Uuid>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Print a JSON array of objects
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: &Arguments, environment: &Environment) -> anyhow::Result<()> {
    let client = environment.client().await?;
    let rows = client
        .query(
            &format!(
                "{SELECT} WHERE ($1::uuid IS NULL OR l.campus_id = $1)
                 ORDER BY l.started_at DESC, l.id LIMIT $2"
            ),
            &[&arguments.campus, &i64::from(arguments.limit)],
        )
        .await
        .map_err(DatabaseError::during("list runs"))?;
    let runs: Vec<Run> = rows.iter().map(Run::from_row).collect();
    let columns = [
        Column::new("started_at", |run: &Run| moment::show(run.started_at)),
        Column::under("started_at", "id", |run| run.id.to_string()),
        Column::new("campus", |run| run.campus_name.clone()),
        Column::under("campus", "sync_type", |run| run.sync_type.clone()),
        Column::new("status", |run| run.status.clone()),
        Column::under("status", "took", Run::duration),
        Column::new("fetched", |run| run.members_fetched.to_string()),
        Column::new("created", |run| run.members_created.to_string()),
        Column::under("created", "linked", |run| run.members_linked.to_string()),
        Column::new("updated", |run| run.members_updated.to_string()),
        Column::new("archived", |run| run.members_archived.to_string()),
        Column::new("held", |run| run.candidates_held.to_string()),
        Column::new("undecided", |run| run.members_undecided.to_string()),
    ];
    listing::write("no run matches", &runs, &columns, arguments.json)?;
    Ok(())
}
