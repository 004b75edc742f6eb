//! `faithctl doctor`: what is wrong with an installation, and what to do about it.

mod campuses;
mod check;
mod gateway;
mod postgres;
mod programs;
mod public_url;
mod rabbitmq;
mod rights;
mod settings;
mod waiting;

use clap::Args;
use url::Url;

use self::check::Report;
use crate::{environment::Environment, failure::Reported, input, output};

/// Checks every dependency and setting, and says what to do about each failure.
///
/// ✓ is well, ! is worth a look, ✗ stops events.
#[derive(Debug, Args)]
#[command(after_help = "Exit code 1 means that something stops events; warnings alone are 0.\n\
    Changes nothing, and logs in to no core unless --login says so.\n\n\
    Examples:\n  \
    faithctl doctor\n  \
    faithctl doctor --login --gateway https://faithtracker.example.org\n  \
    faithctl doctor --json | jq '.[] | select(.status != \"ok\")'")]
pub(crate) struct Arguments {
    /// Also ask the gateway at this address [default: PUBLIC_URL, where it is set]
    #[arg(long, value_name = "URL", value_parser = input::web_address)]
    gateway: Option<Url>,
    /// Also log in to each campus's core, which allows five logins a minute
    #[arg(long)]
    login: bool,
    /// Print a JSON array of objects
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: Arguments, environment: &Environment) -> anyhow::Result<()> {
    let mut report = Report::default();
    settings::check(&mut report, environment);
    public_url::check(&mut report, environment);
    if let Some(client) = postgres::check(&mut report, environment).await {
        rights::check(&mut report, &client).await;
        programs::check(&mut report, &client).await;
        campuses::check(&mut report, environment, &client, arguments.login).await;
        waiting::check(&mut report, &client).await;
    }
    rabbitmq::check(&mut report, environment).await;
    gateway::check(&mut report, environment, arguments.gateway).await;
    if arguments.json {
        output::object(&report.checks)?;
    } else {
        output::line(&report.text(output::is_colourful()))?;
    }
    if report.has_failure() { Err(Reported.into()) } else { Ok(()) }
}
