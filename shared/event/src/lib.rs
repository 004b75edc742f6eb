#![doc = include_str!("../README.md")]

mod envelope;
mod event_type;
mod history;
mod identifier;
mod rejection;

pub use envelope::{DecodeError, Envelope, SCHEMA_VERSION, newer_version};
pub use event_type::EventType;
pub use history::History;
pub use identifier::{is_event_id, is_event_type, is_member_id};
pub use rejection::Rejection;
