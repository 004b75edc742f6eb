#![doc = include_str!("../README.md")]

mod gaps;
mod heartbeat;

pub use gaps::Gaps;
pub use heartbeat::{Heartbeat, tidy};
