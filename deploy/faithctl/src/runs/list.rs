//! `faithctl runs list`

use clap::Args;
use store::records::RunRecord;
use uuid::Uuid;

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
    let runs = RunRecord::list(&client, arguments.campus, arguments.limit).await?;
    let columns = [
        Column::new("started_at", |run: &RunRecord| moment::show(run.started_at)),
        Column::under("started_at", "id", |run| run.id.to_string()),
        Column::new("campus", |run| run.campus_name.clone()),
        Column::under("campus", "sync_type", |run| run.sync_type.clone()),
        Column::new("status", |run| run.status.clone()),
        Column::under("status", "took", duration),
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

/// How long a run took.
pub(super) fn duration(run: &RunRecord) -> String {
    run.duration_seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1}s"))
}
