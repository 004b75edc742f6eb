//! `faithctl audit …`: who changed what.

mod list;

use clap::{Args, Subcommand};

use crate::environment::Environment;

/// Who changed what, and how that ended: each command that changes something, and runs that somebody asked for.
///
/// Nobody can change or delete an entry; after AUDIT_RETENTION the reconciler forgets it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  faithctl audit list --since 24h\n  \
    faithctl audit list --who somebody@machine --json")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Arguments),
}

pub(crate) async fn run(arguments: Arguments, environment: &Environment) -> anyhow::Result<()> {
    match arguments.command {
        Command::List(arguments) => list::run(&arguments, environment).await,
    }
}
