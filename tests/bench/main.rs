//! Benches: every number that the documentation quotes is printed by one of them, beside its
//! reference, measured in the same run on the same servers.
//!
//! `cargo run --release -p tests --bin bench -- intake`

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench prints, and has nobody to tell of an error but who runs it"
)]

mod attackers;
mod bare;
mod bare_queue;
mod burst;
mod churches;
mod cli;
mod drain;
mod end_to_end;
mod floor;
mod growth;
mod intake;
mod lists;
mod load;
mod plot;
mod publish_limit;
mod reconcile;
mod replay;
mod report;
mod samples;
mod slow_cores;
mod subject;
mod thin_line;
mod webhooks;

#[tokio::main]
async fn main() {
    cli::run().await;
}
