//! What the project is tested and tried out with: private servers, a simulated core, and a harness
//! that starts the real programs against them.

#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench prints, and has nobody to tell of an error but who runs it"
)]
pub mod bench;
pub mod core_sim;
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "it is used by tests, which say what they expect by panicking"
)]
pub mod harness;
pub mod process;
pub mod program;
pub mod proxy;
pub mod servers;
pub mod up;
