//! `faithctl notifications …`: whether people would be told.

use clap::{Args, Subcommand};
use notifications::{NotificationSettings, test_message};
use uuid::Uuid;

use crate::{
    environment::Environment,
    failure::{Reported, in_words, say},
    output,
};

/// How people are told of what `status` calls worth a look.
///
/// The reconciler tells them, where NOTIFY_URL (a signed POST) or NOTIFY_MAIL_URL (mail) is set for it: what has lasted for a
/// minute, what is over, all that changed at a time in one message, at most twelve an hour.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Test(Test),
}

/// Sends a test message by every channel that is set up, as the reconciler would.
///
/// Give it the reconciler's NOTIFY_* settings; it needs no other.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 1 means that a receiver has not taken the message, or that no channel is set up."
)]
struct Test {}

pub(crate) async fn run(arguments: Arguments, environment: &Environment) -> anyhow::Result<()> {
    match arguments.command {
        Command::Test(Test {}) => test(environment).await,
    }
}

async fn test(environment: &Environment) -> anyhow::Result<()> {
    let settings = NotificationSettings::from_settings(environment.settings())?;
    if settings.channels.is_empty() {
        anyhow::bail!(
            "no channel is set up: set NOTIFY_URL and NOTIFY_SECRET, or NOTIFY_MAIL_URL, NOTIFY_MAIL_FROM and \
             NOTIFY_MAIL_TO"
        );
    }
    let message = test_message(&now());
    let mut is_taken = true;
    for channel in &settings.channels {
        let (name, target) = (channel.name(), channel.target());
        match channel.send(Uuid::now_v7(), &message).await {
            Ok(()) => output::line(&format!("{name}: taken by {target}"))?,
            Err(error) => {
                is_taken = false;
                say(&format!("{name}: not taken by {target}: {}", in_words(&error.into())));
            }
        }
    }
    if is_taken { Ok(()) } else { Err(Reported.into()) }
}

fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
