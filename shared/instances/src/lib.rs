#![doc = include_str!("../README.md")]

mod gaps;
mod heartbeat;
mod instance;
mod intake_watch;
mod taken_until;

pub use gaps::Gaps;
pub use heartbeat::{DRAINING, Heartbeat, tidy};
pub use instance::Instance;
pub use taken_until::TakenUntil;
