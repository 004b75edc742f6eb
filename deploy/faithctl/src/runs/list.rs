//! `faithctl runs list`

use clap::Args;
use store::{CampusReference, records::RunRecord};

use crate::{
    campus::find_optional_campus,
    environment::Environment,
    listing::{self, Page},
    moment,
    output::{Column, Format},
};

/// Lists reconciliation runs, the newest first.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  faithctl runs list --limit 30")]
pub(crate) struct Arguments {
    /// Filter by campus: its id, or its name where only one has it
    #[arg(long, value_name = "CAMPUS")]
    campus: Option<CampusReference>,
    #[command(flatten)]
    page: Page,
    /// Maximum number of rows
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    #[command(flatten)]
    output: Format,
}

pub(super) async fn run(arguments: &Arguments, environment: &Environment) -> anyhow::Result<()> {
    let client = environment.client().await?;
    let campus = find_optional_campus(arguments.campus.as_ref(), &client).await?;
    let find = async |id| Ok(RunRecord::find(&client, id).await?.map(|run| run.place()));
    let after = arguments.page.place("run", find).await?;
    let limit = arguments.limit.saturating_add(1);
    let runs = RunRecord::list(&client, campus, after.as_ref(), limit).await?;
    let columns = [
        Column::new("started_at", |run: &RunRecord| moment::show(run.started_at)),
        Column::under("started_at", "id", |run| run.id.to_string()),
        Column::under("started_at", "campus", |run| run.campus_name.clone()),
        Column::under("started_at", "sync_type", |run| run.sync_type.clone()),
        Column::new("status", |run| run.status.clone()),
        Column::under("status", "took", duration),
        Column::new("fetched", |run| run.members_fetched.to_string()),
        Column::under("fetched", "created", |run| run.members_created.to_string()),
        Column::under("fetched", "linked", |run| run.members_linked.to_string()),
        Column::new("updated", |run| run.members_updated.to_string()),
        Column::under("updated", "archived", |run| run.members_archived.to_string()),
        Column::new("held", |run| run.candidates_held.to_string()),
        Column::under("held", "undecided", |run| run.members_undecided.to_string()),
        Column::under("started_at", "reason", |run| {
            run.error_message.clone().unwrap_or_else(|| "-".to_owned())
        }),
        Column::wide("campus_id", |run| run.campus_id.to_string()),
        Column::wide("unchanged", |run| run.members_unchanged.to_string()),
    ];
    listing::write_page(
        "no run matches",
        runs,
        arguments.limit,
        |run| run.id,
        &columns,
        arguments.output,
    )
}

/// How long a run took.
pub(super) fn duration(run: &RunRecord) -> String {
    run.duration_seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1}s"))
}
