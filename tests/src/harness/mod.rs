//! The harness of the system tests.

mod eventually;

pub use eventually::eventually;
