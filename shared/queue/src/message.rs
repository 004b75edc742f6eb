//! The AMQP message that an event travels in. Headers are built anew on every publish, never
//! copied: RabbitMQ 3.10 loses or sticks messages that come back with their old `x-death`.

use chrono::{DateTime, Utc};
use event::{Envelope, History, Rejection};
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, ShortString},
};

use runtime::TraceContext;
use tracing::Span;

use crate::{Route, spans};

const REFUSALS: &str = "x-refusals";
const OUTAGES: &str = "x-outages";
const FIRST_FAILED_AT: &str = "x-first-failed-at";
const PUT_OFF_SINCE: &str = "x-put-off-since";
const REPLAYS: &str = "x-replays";
const BOUNCES: &str = "x-bounces";
/// What RabbitMQ had counted before the message was published anew.
const CRASHES: &str = "x-crashes";
const CAUSE: &str = "x-cause";
const REASON: &str = "x-reason";
/// W3C trace context: <https://www.w3.org/TR/trace-context/>.
const TRACEPARENT: &str = "traceparent";
/// RabbitMQ's own count of deliveries that ended without an ack.
const DELIVERY_COUNT: &str = "x-delivery-count";

/// Persistent: written to disk (AMQP 0-9-1, `delivery-mode`).
const PERSISTENT: u8 = 2;

/// Why an event is dead, as the worker says it to the collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// One of the closed list of causes.
    pub cause: String,
    /// A sentence for people.
    pub reason: String,
}

/// A message to publish.
#[derive(Debug, Clone)]
pub struct Message {
    /// Where to.
    pub route: Route,
    /// The encoded envelope, or what could not be decoded.
    pub body: Vec<u8>,
    /// Of sending it: it ends when it is confirmed, or given up.
    pub(crate) span: Span,
    pub(crate) properties: BasicProperties,
}

impl Message {
    /// A message for `envelope`, that goes on from there.
    pub fn new(envelope: &Envelope, route: Route, from: &TraceContext) -> Self {
        let properties = with_id(envelope.delivery_id.to_string())
            .with_type(ShortString::from(envelope.event_type.as_str()))
            .with_timestamp(u64::try_from(envelope.received_at.timestamp()).unwrap_or(0));
        Self::of(route, envelope.encode(), properties, from)
    }

    /// A message for the audit of a refused delivery.
    pub fn rejection(rejection: &Rejection, from: &TraceContext) -> Self {
        let properties = with_id(rejection.delivery_id.to_string())
            .with_timestamp(u64::try_from(rejection.received_at.timestamp()).unwrap_or(0));
        Self::of(Route::Rejections, rejection.encode(), properties, from)
    }

    /// A message with bytes that this program cannot read: they stay as they are.
    pub fn of_bytes(
        body: Vec<u8>,
        message_id: Option<&str>,
        route: Route,
        from: &TraceContext,
    ) -> Self {
        let properties = message_id.map(with_id).unwrap_or_default();
        Self::of(route, body, properties, from)
    }

    fn of(route: Route, body: Vec<u8>, properties: BasicProperties, from: &TraceContext) -> Self {
        let id = properties.message_id().as_ref().map(ShortString::as_str);
        let span = spans::send(&route, id, from);
        let traceparent = match TraceContext::of(&span) {
            Some(context) => context.traceparent(),
            None => from.traceparent(),
        };
        let properties = properties
            .with_delivery_mode(PERSISTENT)
            .with_content_type("application/json".into())
            .with_app_id("faithtracker".into());
        Self { route, body, span, properties }
            .with_headers([(TRACEPARENT, AMQPValue::LongString(traceparent.into()))])
    }

    /// The span of sending it, for those who have a reason to link with it.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Adds what was tried so far.
    #[must_use]
    pub fn with_history(self, history: &History) -> Self {
        let mut entries = vec![
            (REFUSALS, AMQPValue::LongUInt(history.refusals)),
            (OUTAGES, AMQPValue::LongUInt(history.outages)),
            (REPLAYS, AMQPValue::LongUInt(history.replays)),
            (BOUNCES, AMQPValue::LongUInt(history.bounces)),
            (CRASHES, AMQPValue::LongUInt(history.crashes)),
        ];
        let moments =
            [(FIRST_FAILED_AT, history.first_failed_at), (PUT_OFF_SINCE, history.put_off_since)];
        for (name, at) in moments {
            entries.extend(at.map(|at| (name, AMQPValue::LongLongInt(at.timestamp_millis()))));
        }
        self.with_headers(entries)
    }

    /// Adds why the event is dead.
    #[must_use]
    pub fn with_letter(self, letter: &Letter) -> Self {
        self.with_headers([
            (CAUSE, AMQPValue::LongString(letter.cause.as_str().into())),
            (REASON, AMQPValue::LongString(letter.reason.as_str().into())),
        ])
    }

    fn with_headers(
        mut self,
        entries: impl IntoIterator<Item = (impl Into<ShortString>, AMQPValue)>,
    ) -> Self {
        let mut headers = self.properties.headers().clone().unwrap_or_default();
        for (name, value) in entries {
            headers.insert(name.into(), value);
        }
        self.properties = self.properties.with_headers(headers);
        self
    }
}

fn with_id(id: impl Into<ShortString>) -> BasicProperties {
    BasicProperties::default().with_message_id(id.into())
}

/// What a received message says beside its body.
#[derive(Debug, Clone, Default)]
pub struct ReceivedHeaders {
    /// What was tried so far.
    pub history: History,
    /// Why it is dead, where a worker said so.
    pub letter: Option<Letter>,
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
                put_off_since: moment(headers, PUT_OFF_SINCE),
                replays: count(headers, REPLAYS),
                bounces: count(headers, BOUNCES),
                crashes: count(headers, CRASHES).saturating_add(count(headers, DELIVERY_COUNT)),
            },
            letter: cause
                .map(|cause| Letter { cause, reason: text(headers, REASON).unwrap_or_default() }),
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
