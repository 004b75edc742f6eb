//! `faithctl campus …`: which campuses are synced, from which core, and with which secrets.

mod add;
mod by_id;
mod connection;
mod core;
mod fields;
mod filter;
mod filter_preview;
mod id;
mod kept_token;
mod known_fields;
mod linkable;
mod list;
mod login;
mod rotate;
mod secret;
mod set;
mod settings_change;
mod show;
mod survey;
mod switch;
mod values;
mod webhook;

use clap::{Args, Subcommand};

use tokio_util::sync::CancellationToken;

use crate::environment::Environment;

pub(crate) use self::{
    by_id::{Listed, Trial, try_by_id},
    core::CampusCore,
    id::{CampusId, find_campus, find_optional_campus, load_campus},
    known_fields::{FieldComparison, compare_without_login},
    login::{LoginError, advice, log_in},
    webhook::webhook_url,
};

/// Sets up campuses: which are synced, from which core, with which secrets.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    faithctl campus list\n  \
    faithctl campus show 'GKBJ Kebon Jeruk'\n  \
    faithctl campus set 0195f2d0-7c5e-7d0a-9d3f-0b6f2f6a1c11 --rate-limit 50/s")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Add(add::Arguments),
    List(list::Arguments),
    Show(show::Arguments),
    Enable(switch::Enable),
    Disable(switch::Disable),
    Pause(switch::Pause),
    Resume(switch::Resume),
    Set(set::Arguments),
    RotateSecret(rotate::Arguments),
    SetFilter(filter::Set),
    ClearFilter(filter::Clear),
    TestConnection(connection::Arguments),
    DiscoverFields(fields::Arguments),
}

impl Command {
    /// The campus that it is about, where it is about one.
    fn campus(&mut self) -> Option<&mut CampusId> {
        match self {
            Self::Add(_) | Self::List(_) => None,
            Self::Show(arguments) => Some(&mut arguments.campus),
            Self::Enable(arguments) => Some(&mut arguments.campus),
            Self::Disable(arguments) => Some(&mut arguments.campus),
            Self::Pause(arguments) => Some(&mut arguments.campus),
            Self::Resume(arguments) => Some(&mut arguments.campus),
            Self::Set(arguments) => Some(&mut arguments.campus),
            Self::RotateSecret(arguments) => Some(&mut arguments.campus),
            Self::SetFilter(arguments) => Some(&mut arguments.campus),
            Self::ClearFilter(arguments) => Some(&mut arguments.campus),
            Self::TestConnection(arguments) => Some(&mut arguments.campus),
            Self::DiscoverFields(arguments) => Some(&mut arguments.campus),
        }
    }
}

pub(crate) async fn run(
    mut arguments: Arguments,
    environment: &Environment,
    interrupted: &CancellationToken,
) -> anyhow::Result<()> {
    if let Some(campus) = arguments.command.campus() {
        campus.find(environment).await?;
    }
    match arguments.command {
        Command::Add(arguments) => add::run(arguments, environment).await,
        Command::List(arguments) => list::run(&arguments, environment).await,
        Command::Show(arguments) => show::run(&arguments, environment).await,
        Command::Enable(arguments) => switch::enable(&arguments, environment).await,
        Command::Disable(arguments) => switch::disable(&arguments, environment).await,
        Command::Pause(arguments) => switch::pause(&arguments, environment).await,
        Command::Resume(arguments) => switch::resume(&arguments, environment).await,
        Command::Set(arguments) => set::run(arguments, environment).await,
        Command::RotateSecret(arguments) => rotate::run(arguments, environment).await,
        Command::SetFilter(arguments) => filter::set(&arguments, environment, interrupted).await,
        Command::ClearFilter(arguments) => filter::clear(&arguments, environment).await,
        Command::TestConnection(arguments) => connection::run(&arguments, environment).await,
        Command::DiscoverFields(arguments) => fields::run(&arguments, environment).await,
    }
}
