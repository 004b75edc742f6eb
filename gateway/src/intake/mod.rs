//! Connections of senders, and the bodies that come on them: bounded in number, time and memory.

pub(crate) mod body;
pub(crate) mod budget;
pub(crate) mod connection_state;
pub(crate) mod connections;
pub(crate) mod server;
pub(crate) mod timed_body;
pub(crate) mod tls;

mod timed_stream;
