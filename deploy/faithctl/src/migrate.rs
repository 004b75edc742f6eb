//! `faithctl migrate`

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::{
    environment::Environment,
    output::{self, Format},
    roles,
};

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
    #[command(flatten)]
    output: Format,
}

pub(crate) async fn run(arguments: &Arguments, environment: &Environment) -> anyhow::Result<()> {
    let mut client = environment.client().await?;
    let applied = store::migrate(&mut client).await?;
    let tell = |text: &str| if arguments.output.is_json() { Ok(()) } else { output::line(text) };
    if applied.is_empty() {
        tell("nothing to do: the schema is up to date")?;
    }
    for migration in &applied {
        tell(&format!("applied {migration}"))?;
    }
    if arguments.roles {
        roles::apply(&client).await?;
        tell("every program's role has its rights")?;
    }
    let mut passwords_set = Vec::new();
    if let Some(folder) = &arguments.passwords {
        for role in roles::NAMES {
            if roles::set_password(&client, role, folder).await? {
                passwords_set.push(role);
                tell(&format!("{role} has the password of its file"))?;
            } else {
                tell(&format!("{role} keeps its password: there is no file of its name"))?;
            }
        }
    }
    let done = json!({
        "applied": applied,
        "roles": arguments.roles,
        "passwords_set": passwords_set,
    });
    // The audit is among the tables that are made: it is told afterwards.
    if applied.is_empty() && !arguments.roles {
        environment.change().settled();
    }
    environment.change().tell(done.clone());
    if arguments.output.is_json() {
        return output::object(&done);
    }
    Ok(())
}
