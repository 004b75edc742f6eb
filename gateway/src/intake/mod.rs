//! Connections of senders, and the bodies that come on them: bounded in number, time and memory. `server` accepts from the
//! `public_socket` within the cap of `connections`, `connection_handler` serves one over TLS and a `timed_stream`; a body comes as a `timed_body`
//! and is read by `body` within the `budget`.

pub(crate) mod body;
pub(crate) mod budget;
pub(crate) mod connection_state;
pub(crate) mod connections;
pub(crate) mod public_socket;
pub(crate) mod server;
pub(crate) mod timed_body;

mod connection_handler;
mod timed_stream;
