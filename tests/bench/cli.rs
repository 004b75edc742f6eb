//! Which bench is run.

use clap::{Parser, Subcommand};

use crate::{
    attackers, bare, burst, drain, end_to_end, growth, intake, lists, reconcile, replay,
    slow_cores, thin_line,
};

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
    /// How fast workers empty a full queue
    Drain(drain::Drain),
    /// From the POST of a webhook to its committed row, through gateway, RabbitMQ, worker, core
    /// and Postgres, at fixed rates
    EndToEnd(end_to_end::EndToEnd),
    /// As many webhooks as are taken, at once, until all are committed
    Burst(burst::Burst),
    /// What an event costs with more members, and with a longer backlog
    Growth(growth::Growth),
    /// How long lists take where there is much, and what their indices cost
    Lists(lists::Lists),
    /// The replay of many dead letters
    Replay(replay::Replay),
    /// What honest senders notice, and how much memory the gateway takes, while idle, slow and
    /// dishonest ones besiege it
    Attackers(attackers::Attack),
    /// Slow cores against what their slots allow, and what another campus notices
    SlowCores(slow_cores::SlowCores),
    /// Nights of many campuses: the first import, without drift, with 1 % drift
    Reconcile(reconcile::Nights),
    /// A first import with photos over a thin line
    ThinLine(thin_line::ThinLine),
}

/// Runs what the command line asks for.
pub(crate) async fn run() {
    match Bench::parse().what {
        What::Intake(intake) => intake::measure(&intake).await,
        What::Bare(bare) => bare::serve(bare).await,
        What::Drain(drain) => drain::measure(&drain).await,
        What::EndToEnd(load) => end_to_end::measure(&load).await,
        What::Burst(burst) => burst::measure(&burst).await,
        What::Growth(growth) => growth::measure(&growth).await,
        What::Lists(lists) => lists::measure(&lists).await,
        What::Replay(replay) => replay::measure(&replay).await,
        What::Attackers(attack) => Box::pin(attackers::measure(&attack)).await,
        What::SlowCores(slow) => slow_cores::measure(&slow).await,
        What::Reconcile(nights) => Box::pin(reconcile::measure(&nights)).await,
        What::ThinLine(thin) => thin_line::measure(&thin).await,
    }
}
