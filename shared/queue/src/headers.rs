//! The headers that an event's message carries: what was tried on it, why it is dead, its trace.

use chrono::{DateTime, Utc};
use event::History;
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable},
};

// These names do not change: messages that wait in the queues carry them.
pub(crate) const REFUSALS: &str = "x-refusals";
pub(crate) const OUTAGES: &str = "x-outages";
pub(crate) const FIRST_FAILED_AT: &str = "x-first-failed-at";
pub(crate) const DEFERRED_SINCE: &str = "x-put-off-since";
pub(crate) const REPLAYS: &str = "x-replays";
pub(crate) const DEFERRALS: &str = "x-bounces";
/// What RabbitMQ had counted before the message was published anew.
pub(crate) const CRASHES: &str = "x-crashes";
pub(crate) const CAUSE: &str = "x-cause";
pub(crate) const REASON: &str = "x-reason";
/// W3C trace context: <https://www.w3.org/TR/trace-context/>.
pub(crate) const TRACEPARENT: &str = "traceparent";
/// RabbitMQ's own count of deliveries that ended without an ack.
pub(crate) const DELIVERY_COUNT: &str = "x-delivery-count";

/// Why an event is dead: the worker writes it, the collector of dead letters reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadReason {
    /// One of the closed list of causes.
    pub cause: String,
    /// A sentence for people.
    pub reason: String,
}

/// What a received message says beside its body.
#[derive(Debug, Clone, Default)]
pub struct ReceivedHeaders {
    /// What was tried so far.
    pub history: History,
    /// Why it is dead, where a worker said so.
    pub dead_reason: Option<DeadReason>,
    /// W3C `traceparent`, to continue the trace.
    pub traceparent: Option<String>,
}

impl ReceivedHeaders {
    /// Reads the headers of a delivery; what is absent or of another type counts as zero.
    pub fn read(properties: &BasicProperties) -> Self {
        let Some(headers) = properties.headers() else { return Self::default() };
        let cause = text(headers, CAUSE);
        Self {
            history: History {
                refusals: count(headers, REFUSALS),
                outages: count(headers, OUTAGES),
                first_failed_at: moment(headers, FIRST_FAILED_AT),
                deferred_since: moment(headers, DEFERRED_SINCE),
                replays: count(headers, REPLAYS),
                deferrals: count(headers, DEFERRALS),
                crashes: count(headers, CRASHES).saturating_add(count(headers, DELIVERY_COUNT)),
            },
            dead_reason: cause.map(|cause| DeadReason {
                cause,
                reason: text(headers, REASON).unwrap_or_default(),
            }),
            traceparent: text(headers, TRACEPARENT),
        }
    }
}

fn number(headers: &FieldTable, name: &str) -> Option<i64> {
    match headers.inner().get(name)? {
        AMQPValue::LongLongInt(value) => Some(*value),
        AMQPValue::LongInt(value) => Some(i64::from(*value)),
        AMQPValue::LongUInt(value) => Some(i64::from(*value)),
        AMQPValue::ShortInt(value) => Some(i64::from(*value)),
        AMQPValue::ShortShortInt(value) => Some(i64::from(*value)),
        _ => None,
    }
}

fn moment(headers: &FieldTable, name: &str) -> Option<DateTime<Utc>> {
    number(headers, name).and_then(DateTime::<Utc>::from_timestamp_millis)
}

fn count(headers: &FieldTable, name: &str) -> u32 {
    number(headers, name).and_then(|value| u32::try_from(value).ok()).unwrap_or(0)
}

fn text(headers: &FieldTable, name: &str) -> Option<String> {
    match headers.inner().get(name)? {
        AMQPValue::LongString(value) => {
            std::str::from_utf8(value.as_bytes()).ok().map(str::to_owned)
        }
        AMQPValue::ShortString(value) => Some(value.as_str().to_owned()),
        _ => None,
    }
}
