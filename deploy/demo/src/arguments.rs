//! The command line of `deploy/up`.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Runs the whole member sync on this machine, with a simulated FaithFlow core, sends one signed
/// webhook through it and shows the member row that it produced. Ctrl-C stops it; the data stay,
/// and the next run finds them again.
#[derive(Debug, Parser)]
#[command(
    name = "up",
    version,
    disable_help_subcommand = true,
    after_help = "Environment:
  DATABASE_URL   use this database instead of a private PostgreSQL
  AMQP_URL       use this broker instead of a private RabbitMQ
  RUST_LOG and the other settings of .env.example reach the programs"
)]
pub struct Arguments {
    /// Stop as soon as the member row was shown; exit 0 if it was, else 1
    #[arg(long)]
    pub(super) once: bool,
    /// Keep everything in this folder [default: .data in the checkout, or below /var/lib where the
    /// postgres user cannot reach it]
    #[arg(long, value_name = "FOLDER")]
    pub(super) data: Option<PathBuf>,
    #[command(subcommand)]
    pub(super) part: Option<Part>,
}

/// What of it runs as a process of its own, of the same binary: so there is one program less to build.
#[derive(Debug, Subcommand)]
pub(super) enum Part {
    /// The simulated core
    #[command(hide = true)]
    CoreSim(Box<core_sim::cli::Arguments>),
}
