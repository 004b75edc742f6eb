//! `faithctl migrate`

use clap::Args;

use crate::{environment::Environment, output};

/// Creates the tables, or brings them up to date.
///
/// Safe to run again, and from several places at once: they take turns. Needs nothing but
/// DATABASE_URL, of a role that owns the tables. Roles are made afterwards, with deploy/roles.sql.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    DATABASE_URL=postgres://owner:…@db.internal/faithtracker faithctl migrate")]
pub(crate) struct Arguments {}

pub(crate) async fn run(_: &Arguments, environment: &Environment) -> anyhow::Result<()> {
    let mut client = environment.client().await?;
    let applied = store::migrate(&mut client).await?;
    if applied.is_empty() {
        return output::line("nothing to do: the schema is up to date");
    }
    for migration in applied {
        output::line(&format!("applied {migration}"))?;
    }
    Ok(())
}
