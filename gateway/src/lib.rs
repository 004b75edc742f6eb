#![doc = include_str!("../README.md")]

mod assembly;
mod config;
mod intake;
mod metrics;
mod webhook;

pub use assembly::{PROGRAM, run};
pub use config::{Config, VARIABLES};
pub use webhook::{
    payload::{Address, Payload},
    refusal::{Refusal, Unavailable},
    signature::{Signature, Verified},
};
