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
mod floor;
mod intake;
mod latency;
mod load;
mod plot;
mod report;
mod samples;
mod subject;
mod webhooks;

use clap::{Parser, Subcommand};

/// Measures the programs of this build against private servers; run it with `--release`.
#[derive(Debug, Parser)]
#[command(version, name = "bench")]
struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Webhooks taken in a second, beside a program that does only what it must
    Intake(intake::Intake),
    /// The reference program of `intake`
    #[command(hide = true)]
    Bare(bare::Bare),
    /// From the POST of a webhook to its committed row, through gateway, RabbitMQ, worker, core
    /// and Postgres, at a constant rate
    Latency(latency::Load),
    /// What honest senders notice, and how much memory the gateway takes, while idle, slow and
    /// dishonest ones besiege it
    Attackers(attackers::Attack),
}

#[tokio::main]
async fn main() {
    match Bench::parse().what {
        What::Intake(intake) => intake::measure(&intake).await,
        What::Bare(bare) => bare::serve(bare).await,
        What::Latency(load) => latency::measure(&load).await,
        What::Attackers(attack) => attackers::measure(&attack).await,
    }
}
