#![doc = include_str!("../README.md")]

mod assembly;
mod channel;
mod config;
mod context;
mod core;
mod event;
mod metrics;
mod operations;
mod publish;
mod side_queues;
mod undecodable;
mod writer;

pub use assembly::{PROGRAM, run};
pub use config::{Config, VARIABLES};
