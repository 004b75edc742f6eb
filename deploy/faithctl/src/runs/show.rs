//! `faithctl runs show`

use chrono::{DateTime, Utc};
use clap::Args;
use database::{Client, DatabaseError};
use serde::Serialize;
use uuid::Uuid;

use super::record::{Run, SELECT};
use crate::{
    environment::Environment,
    moment,
    output::{self, Column, Sheet},
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
    /// Print a JSON object: the run's columns, and what it changed under "changes"
    #[arg(long)]
    json: bool,
}

/// A member that the run changed, or held.
#[derive(Debug, Serialize)]
struct Change {
    kind: String,
    external_member_id: String,
    reason: Option<String>,
    allowed: bool,
    changed_at: DateTime<Utc>,
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    run: &'a Run,
    changes: &'a [Change],
}

pub(super) async fn run(arguments: &Arguments, environment: &Environment) -> anyhow::Result<()> {
    let client = environment.client().await?;
    let row = client
        .query_opt(&format!("{SELECT} WHERE l.id = $1"), &[&arguments.id])
        .await
        .map_err(DatabaseError::during("read the run"))?;
    let Some(run) = row.as_ref().map(Run::from_row) else {
        anyhow::bail!("there is no run {}: `faithctl runs list` lists them", arguments.id);
    };
    let changes = changes(&client, run.id).await?;
    if arguments.json {
        return output::object(&Shown { run: &run, changes: &changes });
    }
    sheet(&run).print()?;
    if changes.is_empty() {
        return Ok(());
    }
    output::line("")?;
    let columns = [
        Column::new("kind", |change: &Change| change.kind.clone()),
        Column::new("external_member_id", |change| change.external_member_id.clone()),
        Column::new("reason", |change| match (&change.reason, change.allowed) {
            (Some(reason), true) => format!("{reason} (let through)"),
            (Some(reason), false) => reason.clone(),
            (None, _) => "-".to_owned(),
        }),
    ];
    output::listing(&changes, &columns, false)
}

async fn changes(client: &Client, run: Uuid) -> anyhow::Result<Vec<Change>> {
    let rows = client
        .query(
            "SELECT kind, external_member_id, reason, allowed, changed_at FROM sync_changes
             WHERE run_id = $1 ORDER BY kind, external_member_id",
            &[&run],
        )
        .await
        .map_err(DatabaseError::during("read what the run changed"))?;
    let change = |row: &database::Row| Change {
        kind: row.get("kind"),
        external_member_id: row.get("external_member_id"),
        reason: row.get("reason"),
        allowed: row.get("allowed"),
        changed_at: row.get("changed_at"),
    };
    Ok(rows.iter().map(change).collect())
}

fn sheet(run: &Run) -> Sheet {
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
        .with("took", run.duration())
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
