//! `faithctl runs …`: what the reconciliation did, and asking for it.

mod list;
mod request;
mod show;

use clap::{Args, Subcommand};
use tokio_util::sync::CancellationToken;

use crate::environment::Environment;

/// Tells what reconciliation runs did, and asks for one.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    faithctl runs list\n  \
    faithctl runs list --campus 019ab3c4-6a3f-7d53-b1f3-5e0a3f0f6d11 --limit 30\n  \
    faithctl runs show 5b8f0a52-8a3e-4c55-9f6e-0f4f0f2d8a11\n  \
    faithctl runs request 'GKBJ Kebon Jeruk'")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Arguments),
    Show(show::Arguments),
    Request(request::Arguments),
}

impl Arguments {
    /// Whether the command ends in order by itself when it is interrupted.
    pub(crate) fn ends_in_order(&self) -> bool {
        matches!(self.command, Command::Request(_))
    }
}

pub(crate) async fn run(
    arguments: Arguments,
    environment: &Environment,
    interrupted: &CancellationToken,
) -> anyhow::Result<()> {
    match arguments.command {
        Command::List(arguments) => list::run(&arguments, environment).await,
        Command::Show(arguments) => show::run(&arguments, environment).await,
        Command::Request(mut arguments) => {
            arguments.campus.find(environment).await?;
            request::run(&arguments, environment, interrupted).await
        }
    }
}
