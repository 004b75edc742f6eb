//! `faithctl runs show`

use clap::Args;
use serde::Serialize;
use store::records::{RunChange, RunRecord};
use uuid::Uuid;

use super::list::duration;
use crate::{
    environment::Environment,
    moment,
    output::{self, Column, Format, Sheet},
};

/// Shows a run and whom it changed, by the core's ids.
///
/// Every archive, everybody who was held or is undecided is listed, and up to 100 of each other kind.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  faithctl runs show 5b8f0a52-8a3e-4c55-9f6e-0f4f0f2d8a11")]
pub(crate) struct Arguments {
    /// Id of the run
    #[arg(value_name = "ID")]
    id: Uuid,
    #[command(flatten)]
    output: Format,
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    run: &'a RunRecord,
    changes: &'a [RunChange],
}

pub(super) async fn run(arguments: &Arguments, environment: &Environment) -> anyhow::Result<()> {
    let client = environment.client().await?;
    let Some(run) = RunRecord::find(&client, arguments.id).await? else {
        anyhow::bail!("there is no run {}: `faithctl runs list` lists them", arguments.id);
    };
    let changes = run.changes(&client).await?;
    if arguments.output.is_json() {
        return output::object(&Shown { run: &run, changes: &changes });
    }
    sheet(&run).print()?;
    if changes.is_empty() {
        return Ok(());
    }
    output::line("")?;
    let columns = [
        Column::new("kind", |change: &RunChange| change.kind.clone()),
        Column::new("external_member_id", |change| change.external_member_id.clone()),
        Column::new("reason", |change| match (&change.reason, change.allowed) {
            (Some(reason), true) => format!("{reason} (let through)"),
            (Some(reason), false) => reason.clone(),
            (None, _) => "-".to_owned(),
        }),
    ];
    output::listing(&changes, &columns, arguments.output)
}

fn sheet(run: &RunRecord) -> Sheet {
    let allowed = run.allowed_archives.map(|archives| {
        format!(
            "{archives}, held by run {}, let through by {}",
            run.allowed_run_id.map_or_else(|| "-".to_owned(), |id| id.to_string()),
            run.allowed_by.as_deref().unwrap_or("-")
        )
    });
    let held = (run.candidates_held > 0).then(|| {
        format!(
            "{}; to let them through: reconciler --once --campus {} --allow-archive {}",
            run.candidates_held, run.campus_id, run.candidates_held
        )
    });
    Sheet::default()
        .with("id", run.id)
        .with("campus", format!("{} ({})", run.campus_name, run.campus_id))
        .with("sync_type", &run.sync_type)
        .with("status", &run.status)
        .with("started_at", moment::show(run.started_at))
        .with("took", duration(run))
        .with("members_fetched", run.members_fetched)
        .with("members_created", run.members_created)
        .with("members_linked", run.members_linked)
        .with("members_updated", run.members_updated)
        .with("members_archived", run.members_archived)
        .with("members_unarchived", run.members_unarchived)
        .with("members_unchanged", run.members_unchanged)
        .with_some("candidates_held", held)
        .with_some(
            "members_undecided",
            (run.members_undecided > 0).then_some(run.members_undecided),
        )
        .with_some("allowed_archives", allowed)
        .with_some("error_message", run.error_message.as_ref())
}
