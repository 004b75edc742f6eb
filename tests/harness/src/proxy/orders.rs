//! What a proxy is told to do.

use std::{sync::Arc, time::Duration};

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

/// What a mode is for; everything else is passed on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    from: Option<End>,
    introduction: Option<Arc<[u8]>>,
}

impl Scope {
    /// What one end sends, and not what it is sent.
    #[must_use]
    pub fn sent_by(end: End) -> Self {
        Self { from: Some(end), introduction: None }
    }

    /// Connections whose client says this first, or soon.
    #[must_use]
    pub fn introduced(mut self, with: &[u8]) -> Self {
        self.introduction = Some(with.into());
        self
    }

    /// Connections to RabbitMQ of this name, as `rabbitmqctl list_connections` shows it.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        let length = u32::try_from(name.len()).unwrap_or(u32::MAX).to_be_bytes();
        // A field of the client's properties: its name, its type, its value's length, its value.
        self.introduced(&[b"connection_nameS", &length[..], name.as_bytes()].concat())
    }

    fn covers(&self, from: End, introduction: &[u8]) -> bool {
        let is_meant = |mark: &Arc<[u8]>| {
            introduction.windows(mark.len().max(1)).any(|bytes| bytes == &mark[..])
        };
        self.from.is_none_or(|end| end == from) && self.introduction.as_ref().is_none_or(is_meant)
    }
}

/// The orders in force. A connection compares them with those it was born under.
#[derive(Debug, Clone, Default)]
pub(super) struct Orders {
    pub(super) mode: Mode,
    /// What the mode is for.
    pub(super) scope: Scope,
    /// How often all connections were reset.
    pub(super) resets: u64,
    /// How often all connections lost an end,
    pub(super) losses: u64,
    /// and which it was the last time.
    pub(super) lost: End,
}

impl Orders {
    /// What is done with what `from` sends on a connection whose client introduced itself so.
    pub(super) fn mode_of(&self, from: End, introduction: &[u8]) -> Mode {
        if self.scope.covers(from, introduction) { self.mode } else { Mode::Forward }
    }

    /// What is done with a connection of which nothing is known yet.
    pub(super) fn mode_of_new(&self) -> Mode {
        if self.scope == Scope::default() { self.mode } else { Mode::Forward }
    }
}
