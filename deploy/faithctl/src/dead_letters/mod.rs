//! `faithctl dead-letters …`: what failed for good, and what becomes of it.

mod advice;
mod change;
mod discard;
mod export;
mod filters;
mod groups;
mod list;
mod replay;
mod restore;
mod selection;
mod show;

use clap::{Args, Subcommand};
use tokio_util::sync::CancellationToken;

use self::filters::Filters;
use crate::environment::Environment;

/// Events that failed for good: what they are, and another try for them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    faithctl dead-letters groups\n  \
    faithctl dead-letters list --cause member_not_found --since 24h\n  \
    faithctl dead-letters replay --cause core_unavailable --dry-run\n  \
    faithctl dead-letters replay --cause core_unavailable --rate 200/s\n  \
    faithctl dead-letters discard --campus ID --until 30d --note 'church has left' --dry-run\n  \
    faithctl dead-letters restore --campus ID --dry-run\n\n\
    A letter is open until it is replayed, replaying while the event is on its way again, resolved\n\
    when a worker has finished it, and open once more when it fails anew.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Groups(groups::Arguments),
    List(list::Arguments),
    Export(export::Arguments),
    Show(show::Arguments),
    Replay(replay::Arguments),
    Discard(discard::Arguments),
    Restore(restore::Arguments),
}

impl Arguments {
    /// Whether the command ends in order by itself when it is interrupted.
    pub(crate) fn ends_in_order(&self) -> bool {
        matches!(self.command, Command::Replay(_) | Command::Discard(_) | Command::Restore(_))
    }
}

impl Command {
    /// What it filters by, where it does.
    fn filters(&mut self) -> Option<&mut Filters> {
        match self {
            Self::Groups(arguments) => Some(&mut arguments.filters),
            Self::List(arguments) => Some(&mut arguments.filters),
            Self::Export(arguments) => Some(&mut arguments.filters),
            Self::Replay(arguments) => Some(&mut arguments.selection.filters),
            Self::Discard(arguments) => Some(&mut arguments.selection.filters),
            Self::Restore(arguments) => Some(&mut arguments.selection.filters),
            Self::Show(_) => None,
        }
    }
}

pub(crate) async fn run(
    mut arguments: Arguments,
    environment: &Environment,
    interrupted: &CancellationToken,
) -> anyhow::Result<()> {
    if let Some(filters) = arguments.command.filters() {
        filters.find_campus(environment).await?;
    }
    match arguments.command {
        Command::Groups(arguments) => groups::run(&arguments, environment).await,
        Command::List(arguments) => list::run(&arguments, environment).await,
        Command::Export(arguments) => export::run(&arguments, environment).await,
        Command::Show(arguments) => show::run(&arguments, environment).await,
        Command::Replay(arguments) => replay::run(&arguments, environment, interrupted).await,
        Command::Discard(arguments) => discard::run(&arguments, environment, interrupted).await,
        Command::Restore(arguments) => restore::run(&arguments, environment, interrupted).await,
    }
}
