#![doc = include_str!("../README.md")]

mod channel;
mod error;
mod mail;
mod message;
mod settings;
mod webhook;

pub use channel::Channel;
pub use error::SendError;
pub use message::{problems_changed, test_message, words};
pub use settings::NotificationSettings;
