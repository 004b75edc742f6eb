#![doc = include_str!("../README.md")]

mod audit;
mod cli;
mod config;
mod core_retry;
mod diff;
mod error;
mod housekeeping;
mod list;
mod notify;
mod once;
mod operations;
mod repair;
mod report;
mod run;
mod safety;
mod schedule;

use runtime::{Program, variables};

pub use cli::main;
pub use config::{Config, VARIABLES};
pub use schedule::daemon::run;

/// The name in logs and metrics, and the setting of the admin port.
pub const PROGRAM: Program =
    Program { name: "reconciler", admin_listen: variables::RECONCILER_ADMIN_LISTEN };
