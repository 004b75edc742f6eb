//! The reconciler: what makes "FaithTracker equals the core every morning" true, although webhooks
//! get lost and some changes send none. It is also the program that could hide a whole church at
//! once, so in this order: never archive by mistake, never overwrite newer, then be fast.
//!
//! `run/reconcile.rs` is one run. Beside it the program keeps house: days of
//! the log, ages.

mod cli;
mod config;
mod core_retry;
mod diff;
mod error;
mod housekeeping;
mod list;
mod once;
mod repair;
mod report;
mod run;
mod safety;
mod schedule;

use runtime::{Program, variables};

pub use cli::main;
pub use config::{Config, VARIABLES};
pub use schedule::daemon::run;

/// Who this is.
pub const PROGRAM: Program =
    Program { name: "reconciler", admin_listen: variables::RECONCILER_ADMIN_LISTEN };
