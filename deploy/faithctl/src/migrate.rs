//! `faithctl migrate`

use std::path::PathBuf;

use clap::Args;

use crate::{environment::Environment, output, roles};

/// Creates the tables, or brings them up to date.
///
/// Safe to run again, and from several places at once: they take turns. Needs nothing but
/// DATABASE_URL, of a role that owns the tables. The programs' roles are made afterwards: here with
/// --roles, or with deploy/roles.sql, which is the same.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    DATABASE_URL=postgres://owner:…@db.internal/faithtracker faithctl migrate\n  \
    faithctl migrate --roles --passwords /run/secrets")]
pub(crate) struct Arguments {
    /// Make the programs' roles too, each with the least rights it works with; the owner must be
    /// allowed to make roles
    #[arg(long)]
    roles: bool,
    /// A folder with a file for each role, named like it, that holds its password; a role without a
    /// file keeps the one it has
    #[arg(long, value_name = "FOLDER", requires = "roles")]
    passwords: Option<PathBuf>,
}

pub(crate) async fn run(arguments: &Arguments, environment: &Environment) -> anyhow::Result<()> {
    let mut client = environment.client().await?;
    let applied = store::migrate(&mut client).await?;
    if applied.is_empty() {
        output::line("nothing to do: the schema is up to date")?;
    }
    for migration in applied {
        output::line(&format!("applied {migration}"))?;
    }
    if arguments.roles {
        roles::apply(&client).await?;
    }
    if let Some(folder) = &arguments.passwords {
        roles::set_passwords(&client, folder).await?;
    }
    Ok(())
}
