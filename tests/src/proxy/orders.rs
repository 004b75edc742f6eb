//! What a proxy is told to do.

use std::time::Duration;

/// What a proxy does with what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Passes it on.
    #[default]
    Forward,
    /// Passes each piece on that much later, in both directions.
    Latency(Duration),
    /// Passes nothing on and loses nothing, as a network that drops packets for a while: the
    /// senders' buffers fill up, and everything arrives when it is over.
    Pause,
    /// Accepts connections and bytes, and throws the bytes away; closing is not passed on either.
    /// Connections that lost bytes are reset when it is over.
    BlackHole,
    /// Resets every connection, open or new, as if nobody listened.
    Refuse,
}

/// An end of a connection, as seen from the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum End {
    /// Who connected.
    Client,
    /// Who was connected to.
    #[default]
    Server,
}

/// The orders in force. A connection compares them with those it was born under.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Orders {
    pub(super) mode: Mode,
    /// How often all connections were reset.
    pub(super) resets: u64,
    /// How often all connections lost an end,
    pub(super) losses: u64,
    /// and which it was the last time.
    pub(super) lost: End,
}
