#![doc = include_str!("../README.md")]

mod gaps;
mod heartbeat;
mod taken_until;

pub use gaps::Gaps;
pub use heartbeat::{Heartbeat, tidy};
pub use taken_until::TakenUntil;
