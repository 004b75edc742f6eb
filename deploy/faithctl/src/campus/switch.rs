//! `faithctl campus enable` and `disable`

use clap::Args;
use database::DatabaseError;
use store::CampusConfig;

use super::{CampusId, id::unknown, known_fields};
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
    campus: CampusId,
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
    campus: CampusId,
}

pub(super) async fn enable(arguments: &Enable, environment: &Environment) -> anyhow::Result<()> {
    let id = arguments.campus.id;
    if !arguments.force
        && let Some(Ok(config)) = CampusConfig::load(&environment.client().await?, id).await?
    {
        known_fields::check(&config.filter, id, environment).await?;
    }
    switch(arguments.campus, true, environment).await
}

pub(super) async fn disable(arguments: &Disable, environment: &Environment) -> anyhow::Result<()> {
    switch(arguments.campus, false, environment).await
}

async fn switch(campus: CampusId, on: bool, environment: &Environment) -> anyhow::Result<()> {
    let client = environment.client().await?;
    let changed = client
        .execute("UPDATE sync_configs SET is_enabled = $2 WHERE campus_id = $1", &[&campus.id, &on])
        .await
        .map_err(DatabaseError::during("switch the campus"))?;
    if changed == 0 {
        return Err(unknown(&client, campus.id).await);
    }
    say(&format!("campus {} is {}", campus.id, if on { "enabled" } else { "disabled" }));
    Ok(())
}
