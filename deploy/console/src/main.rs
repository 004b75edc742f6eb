//! The console's binary; everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    clap::Command::new("console")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Shows in a browser how the sync is, and who may do what about it")
        .after_help(runtime::variables::help(console::VARIABLES))
        .get_matches();
    runtime::run_daemon(console::PROGRAM, console::Config::from_settings, console::run)
}
