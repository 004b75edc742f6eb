//! The simulated FaithFlow core as a program: see `core-sim --help`.

use clap::Parser;
use core_sim::cli::{Arguments, run};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    run(Arguments::parse()).await
}
