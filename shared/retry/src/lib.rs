//! What a failure means for an event, in one place: whether it is an outage or a refusal, whether
//! it is bridged within the attempt, and when the event is tried again or is dead.

mod blips;
mod classify;
mod failure;
mod schedule;

pub use blips::bridge;
pub use classify::{classify, is_blip};
pub use failure::{Cause, Failure, Kind};
pub use schedule::{Next, RetrySchedule};
