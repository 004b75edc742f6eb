//! What a failure means for an event, in one place: whether it is an outage or a refusal, whether
//! it is bridged within the attempt, and when the event is tried again or is dead.

mod classify;
mod failure;
mod schedule;
mod transient;

pub use classify::{classify, is_transient};
pub use failure::{Cause, Failure, FailureKind};
pub use schedule::{Next, RetrySchedule};
pub use transient::retry_transient;
