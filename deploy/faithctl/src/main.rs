//! The operator's command line: campuses and their secrets, the fate of deliveries, and what is
//! wrong with an installation. Data on stdout, everything else on stderr.

mod campus;
mod cli;
mod confirm;
mod dead_letters;
mod deliveries;
mod doctor;
mod environment;
mod erase;
mod failure;
mod input;
mod migrate;
mod moment;
mod output;
mod rekey;
mod runs;
mod send_test;
mod status;
mod web;

use std::process::ExitCode;

use clap::Parser;
use runtime::Telemetry;

use crate::{cli::Cli, environment::Environment};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let environment = Environment::of_this_process();
    // Outside of the runtime, as the exporter's own thread demands.
    let telemetry = match Telemetry::start("faithctl", environment.settings()) {
        Ok(telemetry) => telemetry,
        Err(error) => return failure::report(&error.into()),
    };
    runtime::install_crypto_provider();
    let code = cli::execute(cli, &environment);
    drop(telemetry);
    code
}
