//! The reconciler's binary; everything it does is in the library.

use std::process::ExitCode;

use clap::{Arg, ArgAction, Command};

fn main() -> ExitCode {
    let arguments = Command::new("reconciler")
        .version(env!("CARGO_PKG_VERSION"))
        .about(
            "Keeps house: makes the days of webhook_logs ahead, drops old ones, keeps ages right",
        )
        .long_about(
            "Keeps house: makes the days of webhook_logs ahead, drops those older than \
             LOG_RETENTION, and brings the ages of members up to date for their birthdays. At the \
             start, and then every hour, until it is told to stop.",
        )
        .arg(
            Arg::new("once")
                .long("once")
                .action(ArgAction::SetTrue)
                .help("Keep house once and exit: 0 done, 1 failed"),
        )
        .after_help(runtime::variables::help(reconciler::VARIABLES))
        .get_matches();
    if arguments.get_flag("once") {
        return reconciler::run_once();
    }
    runtime::run_daemon(reconciler::PROGRAM, reconciler::Config::from_settings, reconciler::run)
}
