//! The command line.

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use store::CampusReference;

use crate::{
    VARIABLES,
    once::{OnceRequest, Selection, run_once},
};

const ABOUT: &str = "Compares each campus's members with the core's list at night, and repairs";
const LONG_ABOUT: &str = "Compares each campus's members with the core's list, at its \
    reconciliation_time in its time zone, and repairs what differs: webhooks get lost, and some \
    changes send none. Beside that it makes the days of webhook_logs ahead, drops those older than \
    LOG_RETENTION, deletes entries of the audit older than AUDIT_RETENTION, and brings ages up to date. Runs until it is told to stop, any number side by \
    side; or once, for cron and for first imports.";

const EXIT_CODES: &str = "Exit codes of --once:
  0 done, or a dry run without drift; 1 a run failed; 2 bad usage or a bad setting;
  3 a dry run found drift; 4 archives or returns were held; 5 some members could not be decided about,
  everything else was done; 130 interrupted. Of several campuses the worst counts: 1, 4, 5, 3, 0";

fn command() -> Command {
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    Command::new("reconciler")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .long_about(LONG_ABOUT)
        .arg(switch(
            "once",
            "Reconcile every campus that is due, then exit; one that failed is due again",
        ))
        .arg(
            Arg::new("campus")
                .long("campus")
                .value_name("CAMPUS")
                .value_parser(value_parser!(CampusReference))
                .requires("once")
                .help(
                    "Reconcile this campus now, due or not, enabled or not: its id, or its name where only one has it",
                ),
        )
        .arg(
            switch("all", "Reconcile every enabled campus now, due or not")
                .requires("once")
                .conflicts_with("campus"),
        )
        .arg(switch("dry-run", "Tell what would change, and write nothing").requires("once"))
        .arg(
            Arg::new("allow-archive")
                .long("allow-archive")
                .value_name("N")
                .value_parser(value_parser!(u64))
                .requires("campus")
                .help(
                    "Let through the N people whom the campus's last held run held, and only those",
                ),
        )
        .arg(
            switch("json", "Print reports as JSON: an object for --campus, else an array")
                .requires("once"),
        )
        .after_help(format!("{EXIT_CODES}\n\n{}", runtime::variables::help(VARIABLES)))
}

/// Runs the program.
pub fn main() -> ExitCode {
    let arguments = command().get_matches();
    if arguments.get_flag("once") {
        return run_once(&once(&arguments));
    }
    runtime::run_daemon(crate::PROGRAM, crate::Config::from_settings, crate::run)
}

fn once(arguments: &ArgMatches) -> OnceRequest {
    OnceRequest {
        selection: match arguments.get_one("campus") {
            Some(campus) => Selection::Named(CampusReference::clone(campus)),
            None if arguments.get_flag("all") => Selection::All,
            None => Selection::Due,
        },
        is_dry_run: arguments.get_flag("dry-run"),
        allow_archive: arguments.get_one("allow-archive").copied(),
        json: arguments.get_flag("json"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_is_well_formed() {
        super::command().debug_assert();
    }
}
