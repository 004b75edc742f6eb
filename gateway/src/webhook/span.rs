//! The span of a webhook's request, by OpenTelemetry's conventions for HTTP servers
//! (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>).

use event::Envelope;
use hyper::{header::HOST, http::request::Parts};
use runtime::{TRACES, Trace, TraceContext};
use tracing::{Span, field::Empty};

use crate::webhook::{refused::declined::Declined, reply::Accepted};

const TRACEPARENT: &str = "traceparent";

/// A longer name than this is no host's (RFC 1035).
const LONGEST_HOST: usize = 253;

/// Begins the span. A trace begins here, whatever the sender says: see [`link_sender`].
pub(crate) fn begin(route: &'static str, head: &Parts) -> Span {
    let span = tracing::info_span!(
        target: TRACES,
        parent: None,
        "POST",
        otel.name = %format_args!("POST {route}"),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = "POST",
        http.route = route,
        http.response.status_code = Empty,
        url.path = route,
        url.scheme = Empty,
        server.address = Empty,
        network.protocol.version = "1.1",
        "error.type" = Empty,
        faithtracker.refusal = Empty,
        faithtracker.campus.id = Empty,
        faithtracker.event.id = Empty,
        "faithtracker.event.type" = Empty,
    );
    if !span.is_disabled()
        && let Some(host) = head.headers.get(HOST).and_then(|host| host.to_str().ok())
        && host.len() <= LONGEST_HOST
    {
        span.record("server.address", host.split(':').next().unwrap_or(host));
    }
    span
}

/// Notes whose event it is; no member's id, since traces are kept elsewhere.
pub(crate) fn record_event(trace: &Trace, envelope: &Envelope) {
    let span = trace.span();
    if !span.is_disabled() {
        span.record("faithtracker.event.id", envelope.event_id.as_str());
        span.record("faithtracker.event.type", envelope.event_type.label());
        span.record("faithtracker.campus.id", envelope.campus_id.to_string());
    }
}

/// Links a webhook that was verified with the trace that its sender says it comes from.
///
/// It is not continued (rule gateway-11): the header is not part of what is signed, FaithFlow sends none, and whoever
/// is on the way could put all of a church's events into one endless trace, or decide that none of
/// them is recorded.
pub(crate) fn link_sender(trace: &Trace, head: &hyper::HeaderMap) {
    if trace.span().is_disabled() {
        return;
    }
    let header = head.get(TRACEPARENT).and_then(|header| header.to_str().ok());
    if let Some(sender) = header.and_then(TraceContext::parse) {
        trace.link(&sender, "the sender's own trace");
    }
}

/// Notes what was answered.
pub(crate) fn end(trace: &Trace, outcome: &Result<Accepted, Declined>) {
    let span = trace.span();
    if span.is_disabled() {
        return;
    }
    let status = match outcome {
        Ok(accepted) => accepted.status(),
        Err(declined) => declined.refusal.status(),
    };
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if let Err(Declined { refusal, campus, .. }) = outcome {
        span.record("faithtracker.refusal", refusal.label());
        if let Some(campus) = campus {
            span.record("faithtracker.campus.id", campus.to_string());
        }
        // What a sender did wrong is no error of the server's.
        if status.is_server_error() {
            span.record("error.type", status.as_str());
            span.record("otel.status_code", "ERROR");
        }
    }
}
