//! The AMQP message that an event travels in. Headers are built anew on every publish, never
//! copied: RabbitMQ 3.10 loses or sticks messages that come back with their old `x-death`.

use event::{Envelope, History, Rejection};
use lapin::{
    BasicProperties,
    types::{AMQPValue, ShortString},
};
use runtime::TraceContext;
use tracing::Span;

use crate::{
    headers::{
        CAUSE, CRASHES, DEFERRALS, DEFERRED_SINCE, DeadReason, FIRST_FAILED_AT, OUTAGES, REASON,
        REFUSALS, REPLAYS, TRACEPARENT,
    },
    spans,
    topology::Route,
};

/// Persistent: written to disk (AMQP 0-9-1, `delivery-mode`).
const PERSISTENT: u8 = 2;

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
            (DEFERRALS, AMQPValue::LongUInt(history.deferrals)),
            (CRASHES, AMQPValue::LongUInt(history.crashes)),
        ];
        let moments =
            [(FIRST_FAILED_AT, history.first_failed_at), (DEFERRED_SINCE, history.deferred_since)];
        for (name, at) in moments {
            entries.extend(at.map(|at| (name, AMQPValue::LongLongInt(at.timestamp_millis()))));
        }
        self.with_headers(entries)
    }

    /// Adds why the event is dead.
    #[must_use]
    pub fn with_dead_reason(self, dead: &DeadReason) -> Self {
        self.with_headers([
            (CAUSE, AMQPValue::LongString(dead.cause.as_str().into())),
            (REASON, AMQPValue::LongString(dead.reason.as_str().into())),
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
