//! A queue as RabbitMQ counts it. Who asks needs a connection to the broker; who judges does not.

use serde::Serialize;

/// A queue as the broker counts it; all is none where it does not say so to this user.
#[derive(Debug, Serialize)]
pub struct QueueState {
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(skip)]
    pub kind: QueueKind,
    /// Whether it has been declared: the first gateway or worker does that.
    pub exists: Option<bool>,
    /// Messages that wait; those that a worker holds are not among them.
    pub messages: Option<u32>,
    /// How many consume it.
    pub consumers: Option<u32>,
    /// What it holds, in words.
    pub holds: &'static str,
}

/// What a queue is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueKind {
    /// Events that wait for a worker.
    Work,
    /// Events that wait for another attempt.
    Retry,
    /// Dead letters on their way to Postgres.
    DeadLetters,
    /// Events that found no queue.
    Unrouted,
    /// Refused webhooks on their way to the log.
    Rejections,
}

impl QueueKind {
    /// What such a queue holds; the names alone are known to nobody.
    pub fn holds(self) -> &'static str {
        match self {
            Self::Work => "events for workers",
            Self::DeadLetters => "dead letters, for Postgres",
            Self::Unrouted => "events without a queue",
            Self::Rejections => "refused webhooks, for the log",
            Self::Retry => "events for another attempt",
        }
    }
}

impl QueueState {
    /// Whether there is certainly no such queue.
    pub fn is_missing(&self) -> bool {
        self.exists == Some(false)
    }
}
