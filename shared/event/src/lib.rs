//! What travels from the gateway to the worker: the envelope of a webhook event, and the history
//! of the attempts made on it.
//!
//! Only allow-listed fields are part of it (CONTRACT §2): a member's data never enters the queue.

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
