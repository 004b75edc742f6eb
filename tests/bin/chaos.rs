//! `cargo run -p tests --bin chaos -- --minutes 20 --seed 7`

use std::{panic::AssertUnwindSafe, process::ExitCode};

use chaos::Plan;
use clap::Parser;
use futures_util::FutureExt;
use support::process::dismiss_guardian;

#[tokio::main]
#[allow(clippy::print_stdout, reason = "a report is what it is run for")]
async fn main() -> ExitCode {
    let outcome = AssertUnwindSafe(Plan::parse().run()).catch_unwind().await;
    dismiss_guardian();
    match outcome {
        Ok(Ok(report)) => {
            if report.complaints().is_empty() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Ok(Err(error)) => {
            println!("FAILED: {error:#}");
            ExitCode::FAILURE
        }
        // It has been printed.
        Err(_) => ExitCode::FAILURE,
    }
}
