//! The spans of messages, by OpenTelemetry's conventions for messaging and RabbitMQ
//! (<https://opentelemetry.io/docs/specs/semconv/messaging/rabbitmq/>).

use std::fmt;

use lapin::{message::Delivery, types::ShortString};
use runtime::{TRACES, Trace, TraceContext};
use tracing::{Span, field::Empty};

use crate::{error::PublishError, headers::ReceivedHeaders, topology::Route};

/// The span of sending a message, a child of `parent`; it ends with the confirm.
pub(crate) fn send(route: &Route, message_id: Option<&str>, parent: &TraceContext) -> Span {
    let span = tracing::info_span!(
        target: TRACES,
        parent: None,
        "send",
        otel.name = %format_args!("send {}:{}", route.exchange(), route.key()),
        otel.kind = "producer",
        otel.status_code = Empty,
        messaging.system = "rabbitmq",
        "messaging.operation.type" = "send",
        messaging.operation.name = "send",
        messaging.destination.name = %format_args!("{}:{}", route.exchange(), route.key()),
        messaging.rabbitmq.destination.routing_key = route.key(),
        messaging.message.id = message_id,
        "error.type" = Empty,
    );
    parent.adopt(&span);
    span
}

/// Notes how sending ended. A message may be sent again until it is taken.
pub(crate) fn sent(span: &Span, outcome: Result<(), PublishError>) {
    match outcome {
        Ok(()) => {
            span.record("otel.status_code", "OK");
        }
        Err(error) => {
            span.record("error.type", error.label());
            span.record("otel.status_code", "ERROR");
        }
    }
}

/// What happens to a message that was taken from `queue`: a span that goes on where its sender's
/// left off, and ends when it is dropped.
pub fn process(delivery: &Delivery, headers: &ReceivedHeaders, queue: &'static str) -> Trace {
    let destination = Destination { delivery, queue };
    let span = tracing::info_span!(
        target: TRACES,
        parent: None,
        "process",
        otel.name = %format_args!("process {destination}"),
        otel.kind = "consumer",
        otel.status_code = Empty,
        messaging.system = "rabbitmq",
        "messaging.operation.type" = "process",
        messaging.operation.name = "process",
        messaging.destination.name = %destination,
        messaging.rabbitmq.destination.routing_key = delivery.routing_key.as_str(),
        messaging.message.id = delivery.properties.message_id().as_ref().map(ShortString::as_str),
        messaging.message.body.size = runtime::number(delivery.data.len()),
        "error.type" = Empty,
        faithtracker.event.id = Empty,
        "faithtracker.event.type" = Empty,
        faithtracker.campus.id = Empty,
        faithtracker.attempt = Empty,
        faithtracker.outcome = Empty,
    );
    Trace::continued(span, headers.traceparent.as_deref().and_then(TraceContext::parse))
}

/// `{exchange}:{routing key}:{queue}`, each only where it says something new.
struct Destination<'a> {
    delivery: &'a Delivery,
    queue: &'static str,
}

impl fmt::Display for Destination<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [self.delivery.exchange.as_str(), self.delivery.routing_key.as_str()];
        for part in parts.into_iter().filter(|part| !part.is_empty() && *part != self.queue) {
            write!(formatter, "{part}:")?;
        }
        formatter.write_str(self.queue)
    }
}
