//! The client and the shared login, against a small HTTP server of our own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod client;
mod server;
mod session;
mod token_row;
