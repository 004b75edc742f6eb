//! `faithctl deliveries …`: what became of webhooks.

mod discard;
mod list;
mod show;
mod timeline;

use clap::{Args, Subcommand};
use tokio_util::sync::CancellationToken;

use crate::environment::Environment;

/// What became of webhooks, and an end for those that were lost.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    faithctl deliveries list\n  \
    faithctl deliveries list --status dead --since 1h --limit 100\n  \
    faithctl deliveries show 6f1c2a4e-3f57-4e0e-8d5c-0a4f8a8f9d11")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Arguments),
    Show(show::Arguments),
    Discard(discard::Arguments),
}

pub(crate) async fn run(
    arguments: Arguments,
    environment: &Environment,
    interrupted: &CancellationToken,
) -> anyhow::Result<()> {
    match arguments.command {
        Command::List(arguments) => list::run(&arguments, environment).await,
        Command::Show(arguments) => show::run(&arguments, environment).await,
        Command::Discard(arguments) => discard::run(&arguments, environment, interrupted).await,
    }
}
