//! `faithctl runs …`: what the reconciliation did.

mod list;
mod show;

use clap::{Args, Subcommand};

use crate::environment::Environment;

/// Tells what reconciliation runs did.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    faithctl runs list\n  \
    faithctl runs list --campus 019ab3c4-6a3f-7d53-b1f3-5e0a3f0f6d11 --limit 30\n  \
    faithctl runs show 5b8f0a52-8a3e-4c55-9f6e-0f4f0f2d8a11")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Arguments),
    Show(show::Arguments),
}

pub(crate) async fn run(arguments: Arguments, environment: &Environment) -> anyhow::Result<()> {
    match arguments.command {
        Command::List(arguments) => list::run(&arguments, environment).await,
        Command::Show(arguments) => show::run(&arguments, environment).await,
    }
}
