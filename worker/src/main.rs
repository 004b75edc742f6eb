//! The worker's binary; everything it does is in the library.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    clap::Command::new("worker")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Consumes member events, fetches each member from the core and syncs Postgres")
        .after_help(runtime::variables::help(worker::VARIABLES))
        .get_matches();
    runtime::run_daemon(worker::PROGRAM, worker::Config::from_settings, worker::run)
}
