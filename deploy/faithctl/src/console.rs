//! `faithctl console …`: getting into the console without a password.

use clap::{Args, Subcommand};
use serde_json::json;
use store::operators::Link;

use crate::{
    environment::Environment,
    failure::say,
    operator::link_of,
    output::{self, Format},
};

/// Gets into the console.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Login(Login),
}

/// Prints a link that lets its owner in as an administrator, once, within ten minutes, for an hour.
///
/// For the first login of all, and where nobody knows a password. It needs the database role of faithctl, and so gives
/// nothing that its user had not; the audit names them as user@host.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  CONSOLE_URL=https://console.example.org faithctl console login"
)]
struct Login {
    #[command(flatten)]
    output: Format,
}

pub(crate) async fn run(arguments: Arguments, environment: &Environment) -> anyhow::Result<()> {
    match arguments.command {
        Command::Login(arguments) => login(&arguments, environment).await,
    }
}

async fn login(arguments: &Login, environment: &Environment) -> anyhow::Result<()> {
    let console = environment.console_url()?;
    let mut client = environment.client().await?;
    let change = environment.change();
    let transaction = client.transaction().await?;
    let token = Link::make(&transaction, None, &change.actor().who).await?;
    change.commit(transaction, None, &json!({})).await?;
    let link = link_of(&console, token.reveal());
    if arguments.output.is_json() {
        return output::object(&json!({"link": link, "who": change.actor().who}));
    }
    say("this link is shown once, and lets you in once within ten minutes, for an hour:");
    output::line(&link)
}
