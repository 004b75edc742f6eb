//! The reconciler: what makes "FaithTracker equals the core every morning" true, although webhooks
//! get lost and some changes send none. It is also the program that could hide a whole church at
//! once, so in this order: never archive by mistake, never overwrite newer, then be fast.
//!
//! `run.rs` tells the story of one run. Beside it the program keeps house: days of
//! the log, ages.

mod ages;
mod archive;
mod ask;
mod campus;
mod canary;
mod cli;
mod conduct;
mod config;
mod core;
mod daemon;
mod diff;
mod due;
mod error;
mod gaps;
mod housekeeping;
mod judge;
mod linking;
mod lock;
mod log;
mod metrics;
mod once;
mod pages;
mod pending;
mod phases;
mod plan;
mod progress;
mod read;
mod repair;
mod report;
mod row;
mod run;
mod run_metrics;
mod schedule;
mod side_by_side;
mod snapshot;
mod span;
mod specimens;
mod staging;
mod tally;
mod telling;
mod undecided;
mod write;

use runtime::{Program, variables};

pub use cli::main;
pub use config::{Config, VARIABLES};
pub use daemon::run;

/// Who this is.
pub const PROGRAM: Program =
    Program { name: "reconciler", admin_listen: variables::RECONCILER_ADMIN_LISTEN };
