//! `faithctl operations …`: what was asked for and outlives the command that asked.

mod control;
mod follow;
mod list;
mod progress;
mod request;
mod show;
mod words;

use clap::{Args, Subcommand};

use crate::environment::Environment;

pub(crate) use follow::{Followed, watch_requested};
pub(crate) use progress::counted;
pub(crate) use request::{Request, is_of, requester};
pub(crate) use words::ends as ends_in_words;

/// What was asked for: replays, discards, restores, resyncs and runs. Workers and reconcilers carry it out.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    faithctl operations list\n  \
    faithctl operations show 01936d4e-5f0a-7c3e-9b1d-2a4c6e8f0a1b\n  \
    faithctl operations set-rate 01936d4e-5f0a-7c3e-9b1d-2a4c6e8f0a1b 20/s\n  \
    faithctl operations stop 01936d4e-5f0a-7c3e-9b1d-2a4c6e8f0a1b\n\n\
    An operation waits until a worker (or, of a run, a reconciler) takes it, and goes on with another one where that\n\
    is stopped or dies. Of two that are about the same letters the second waits for the first.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Arguments),
    Show(show::Arguments),
    Pause(control::Pause),
    Resume(control::Resume),
    Stop(control::Stop),
    SetRate(control::SetRate),
}

pub(crate) async fn run(arguments: Arguments, environment: &Environment) -> anyhow::Result<()> {
    match arguments.command {
        Command::List(arguments) => list::run(&arguments, environment).await,
        Command::Show(arguments) => show::run(&arguments, environment).await,
        Command::Pause(arguments) => control::pause(&arguments.named, environment).await,
        Command::Resume(arguments) => control::resume(&arguments.named, environment).await,
        Command::Stop(arguments) => control::stop(&arguments.named, environment).await,
        Command::SetRate(arguments) => control::set_rate(&arguments, environment).await,
    }
}
