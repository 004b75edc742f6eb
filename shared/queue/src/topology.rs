//! The exchanges and queues of interface §5: their names, and where a message goes to.

use std::time::Duration;

use runtime::{SettingError, Settings, format_duration, parse_duration, variables};

/// The exchange that every event is published to.
pub const EXCHANGE: &str = "member-events";
/// Events that wait for a worker.
pub const WORK: &str = "member-events.work";
/// Events that no attempt could finish; the worker's collector moves them to Postgres.
pub const DEAD: &str = "member-events.dead";
/// Events that found no queue, kept rather than acked away; also the exchange that leads there.
pub const UNROUTED: &str = "member-events.unrouted";
/// The audit of refused deliveries; also the exchange that leads there.
pub const REJECTIONS: &str = "webhook-rejections";

/// The exchange that says that the queues are there, as they must be: see `declared`.
pub(crate) const DECLARED: &str = "member-events.declared";

/// Where a message goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route {
    /// To the workers.
    Work,
    /// To the workers, after a delay.
    Retry(Duration),
    /// To the dead letters.
    Dead,
    /// To the audit of refused deliveries.
    Rejections,
}

impl Route {
    /// The exchange to publish to.
    pub fn exchange(&self) -> &'static str {
        match self {
            Self::Work | Self::Retry(_) | Self::Dead => EXCHANGE,
            Self::Rejections => REJECTIONS,
        }
    }

    /// The routing key, which is the queue's name.
    pub fn key(&self) -> String {
        match self {
            Self::Work => WORK.to_owned(),
            Self::Retry(delay) => RetryQueue(*delay).name(),
            Self::Dead => DEAD.to_owned(),
            Self::Rejections => REJECTIONS.to_owned(),
        }
    }
}

/// A delay queue. One queue a delay, since a message's own TTL would wait behind the queue's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryQueue(pub Duration);

impl RetryQueue {
    /// `member-events.retry.30s`
    pub fn name(self) -> String {
        format!("{EXCHANGE}.retry.{}", format_duration(self.0))
    }

    /// The delay queue of this name; none where it is no such name.
    pub fn of_name(name: &str) -> Option<Self> {
        let delay = name.strip_prefix(EXCHANGE)?.strip_prefix(".retry.")?;
        parse_duration(delay).map(Self)
    }
}

/// What the settings decide about the topology.
#[derive(Debug, Clone, Copy)]
pub struct Topology {
    /// `QUEUE_MAX_LENGTH`: events the work queue holds before it refuses more.
    pub work_max_length: u64,
}

impl Topology {
    /// Reads `QUEUE_MAX_LENGTH`.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingError> {
        // RabbitMQ's lengths are signed.
        let range = 1..=i64::MAX.unsigned_abs();
        let work_max_length = settings.number(variables::QUEUE_MAX_LENGTH, range)?;
        Ok(Self { work_max_length })
    }
}
