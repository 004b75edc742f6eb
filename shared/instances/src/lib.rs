//! Which programs run, told by themselves: a row of `instances` each, refreshed every few seconds.
//!
//! A gateway tells in the same breath what it had to refuse, as gaps of its campuses, and whoever
//! notices that no gateway was there notes that for all of them: FaithFlow does not send again, so
//! what was not taken is found by a reconciliation alone.

mod gaps;
mod heartbeat;

pub use gaps::Gaps;
pub use heartbeat::{Heartbeat, tidy};
