//! `faithctl campus enable` and `disable`, `pause` and `resume`

use clap::Args;
use database::{DatabaseError, types::ToSql};
use store::CampusConfig;
use uuid::Uuid;

use super::{CampusId, id::unknown, known_fields, settings_change::change_settings};
use crate::{environment::Environment, failure::say};

/// Syncs a campus again.
#[derive(Debug, Args)]
#[command(
    after_help = "In force in gateways and workers within a second. What was missed while the \
    campus was disabled is found by its next reconciliation. Where the campus has a sync filter, the core is \
    asked whether its members have the fields that it names."
)]
pub(crate) struct Enable {
    #[command(flatten)]
    pub(super) campus: CampusId,
    /// Enable it although no member of the core has a field that its filter names
    #[arg(long)]
    force: bool,
}

/// Stops syncing a campus.
///
/// Its signed webhooks are answered with 403 "Sync is disabled for this campus"; its members and
/// its configuration stay as they are.
#[derive(Debug, Args)]
#[command(after_help = "In force in gateways and workers within a second.")]
pub(crate) struct Disable {
    #[command(flatten)]
    pub(super) campus: CampusId,
}

/// Pauses a campus: its webhooks are accepted and wait, nothing of it is fetched or written.
///
/// Nights are skipped. Unlike a disabled campus it loses nothing: FaithFlow does not send an event again that was
/// answered with 403.
#[derive(Debug, Args)]
#[command(
    after_help = "In force in workers within a second. Events that wait are looked at again ever more \
    rarely, at least every ten minutes; `faithctl campus resume` lets them through."
)]
pub(crate) struct Pause {
    #[command(flatten)]
    pub(super) campus: CampusId,
}

/// Resumes a paused campus.
#[derive(Debug, Args)]
#[command(
    after_help = "Events that wait are worked on within a quarter of the time that the pause lasted, ten minutes at most, and a night that was skipped is made up for."
)]
pub(crate) struct Resume {
    #[command(flatten)]
    pub(super) campus: CampusId,
}

pub(super) async fn enable(arguments: &Enable, environment: &Environment) -> anyhow::Result<()> {
    let id = arguments.campus.id;
    if !arguments.force
        && let Some(Ok(config)) = CampusConfig::load(&environment.client().await?, id).await?
    {
        known_fields::check(&config.filter, id, environment).await?;
    }
    switch(arguments.campus.id, true, environment).await
}

pub(super) async fn disable(arguments: &Disable, environment: &Environment) -> anyhow::Result<()> {
    switch(arguments.campus.id, false, environment).await
}

pub(super) async fn pause(arguments: &Pause, environment: &Environment) -> anyhow::Result<()> {
    let statement = "UPDATE sync_configs SET paused_at = coalesce(paused_at, now()), paused_by = coalesce(paused_by, $2)
                     WHERE campus_id = $1";
    change(
        arguments.campus.id,
        statement,
        &[&environment.change().actor().who],
        "paused",
        environment,
    )
    .await
}

pub(super) async fn resume(arguments: &Resume, environment: &Environment) -> anyhow::Result<()> {
    let statement =
        "UPDATE sync_configs SET paused_at = NULL, paused_by = NULL WHERE campus_id = $1";
    change(arguments.campus.id, statement, &[], "resumed", environment).await
}

async fn switch(campus: Uuid, on: bool, environment: &Environment) -> anyhow::Result<()> {
    let statement = "UPDATE sync_configs SET is_enabled = $2 WHERE campus_id = $1";
    change(campus, statement, &[&on], if on { "enabled" } else { "disabled" }, environment).await
}

/// Runs a statement whose first parameter is the campus, and says what the campus is now.
async fn change(
    campus: Uuid,
    statement: &str,
    more: &[&(dyn ToSql + Sync)],
    becomes: &str,
    environment: &Environment,
) -> anyhow::Result<()> {
    let mut client = environment.client().await?;
    let own: [&(dyn ToSql + Sync); 1] = [&campus];
    let parameters: Vec<&(dyn ToSql + Sync)> = own.iter().chain(more).copied().collect();
    let switched = change_settings(&mut client, campus, &[], environment, async |transaction| {
        Ok(transaction.execute(statement, &parameters).await?)
    });
    if switched.await.map_err(DatabaseError::during("switch the campus"))?.is_none() {
        return Err(unknown(&client, campus).await);
    }
    say(&format!("campus {campus} is {becomes}"));
    Ok(())
}
