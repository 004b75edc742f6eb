#![doc = include_str!("../README.md")]

mod classify;
mod failure;
mod schedule;
mod transient;

pub use classify::{classify, is_transient};
pub use failure::{Cause, Failure, FailureKind};
pub use schedule::{Next, RetrySchedule};
pub use transient::retry_transient;
