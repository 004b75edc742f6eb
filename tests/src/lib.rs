//! What the project is tested and tried out with: private servers, a simulated core, and a harness
//! that starts the real programs against them.

#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "it is a test that runs for long, and tells how it goes"
)]
pub mod chaos;
pub mod collector;
pub mod core_sim;
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "it is used by tests, which say what they expect by panicking"
)]
pub mod harness;
#[allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "it is a test that runs for long, and tells how it goes"
)]
pub mod nights;
#[allow(
    clippy::unwrap_used,
    reason = "it is used by tests, and fails them where it cannot read what they recorded"
)]
pub mod oracle;
pub mod process;
pub mod program;
pub mod proxy;
pub mod servers;
pub mod up;
