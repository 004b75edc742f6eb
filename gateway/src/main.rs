//! The gateway's binary; everything it does is in the library.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    clap::Command::new("gateway")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Accepts webhooks, verifies them, gets them durably queued, answers")
        .after_help(runtime::variables::help(gateway::VARIABLES))
        .get_matches();
    runtime::run_daemon(gateway::PROGRAM, gateway::Config::from_settings, gateway::run)
}
