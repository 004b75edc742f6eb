//! Processes for tests, benches and `deploy/up`: private servers, and the project's own programs.

pub mod process;
pub mod program;
pub mod servers;
