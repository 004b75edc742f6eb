//! `deploy/up`, once everything is installed and built.

use std::process::ExitCode;

use clap::Parser;
use demo::{Arguments, run};

#[tokio::main]
async fn main() -> ExitCode {
    run(Arguments::parse()).await
}
