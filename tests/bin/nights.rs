//! `cargo run -p tests --bin nights -- --minutes 10 --seed 7`

use std::{panic::AssertUnwindSafe, process::ExitCode};

use chaos::nights::Plan;
use clap::Parser;
use futures_util::FutureExt;
use support::process::dismiss_guardian;

#[tokio::main]
#[allow(clippy::print_stdout, reason = "a report is what it is run for")]
async fn main() -> ExitCode {
    let outcome = AssertUnwindSafe(Plan::parse().run()).catch_unwind().await;
    dismiss_guardian();
    match outcome {
        Ok(Ok(_)) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            println!("FAILED: {error:#}");
            ExitCode::FAILURE
        }
        // It has been printed.
        Err(_) => ExitCode::FAILURE,
    }
}
