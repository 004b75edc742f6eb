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
use crate::{
    environment::Environment,
    failure::Reported,
    input,
    output::{self, Format},
};

/// Checks every dependency and setting, and says what to do about each failure.
///
/// ✓ is well, ! is worth a look, ✗ stops events, of all campuses or of one.
#[derive(Debug, Args)]
#[command(after_help = "Exit code 1 means that something stops events; warnings alone are 0.\n\
    Changes no setting and no member, and logs in to no core unless --login says so. A sync filter's fields are \
    compared with some members of the core where a valid token is stored, or with --login. Where a gateway's address is \
    known, it gets a signed `ping` of the first enabled campus, which leaves a row in the log of deliveries.\n\n\
    Examples:\n  \
    faithctl doctor\n  \
    faithctl doctor --login --gateway https://faithtracker.example.org\n  \
    faithctl doctor --json | jq '.[] | select(.status != \"ok\")'")]
pub(crate) struct Arguments {
    /// Also ask the gateway at this address, with a signed ping that must reach the log [default: PUBLIC_URL]
    #[arg(long, value_name = "URL", value_parser = input::web_address)]
    gateway: Option<Url>,
    /// Also log in to each campus's core, and fetch, map and filter a member by id; cores allow five logins a minute
    #[arg(long)]
    login: bool,
    #[command(flatten)]
    output: Format,
}

pub(crate) async fn run(arguments: Arguments, environment: &Environment) -> anyhow::Result<()> {
    let mut report = Report::default();
    settings::check(&mut report, environment);
    public_url::check(&mut report, environment);
    let client = postgres::check(&mut report, environment).await;
    if let Some(client) = &client {
        rights::check(&mut report, client).await;
        programs::check(&mut report, client).await;
        campuses::check(&mut report, environment, client, arguments.login).await;
        waiting::check(&mut report, client).await;
    }
    rabbitmq::check(&mut report, environment, client.as_ref()).await;
    gateway::check(&mut report, environment, arguments.gateway, client.as_ref()).await;
    if arguments.output.is_json() {
        output::object(&report.checks)?;
    } else {
        output::line(&report.text(output::is_colourful()))?;
    }
    if report.has_failure() { Err(Reported.into()) } else { Ok(()) }
}
