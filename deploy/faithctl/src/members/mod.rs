//! `faithctl members …`: members fetched anew.

mod resync;

use clap::{Args, Subcommand};
use tokio_util::sync::CancellationToken;

use crate::environment::Environment;

/// Members of campuses, as the core has them.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    faithctl members resync --campus 'GKBJ Kebon Jeruk' --id 8655d76b-9be0-4681-bd2c-35cd5e09a809")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Resync(resync::Arguments),
}

pub(crate) async fn run(
    arguments: Arguments,
    environment: &Environment,
    interrupted: &CancellationToken,
) -> anyhow::Result<()> {
    match arguments.command {
        Command::Resync(arguments) => resync::run(&arguments, environment, interrupted).await,
    }
}
