//! The span of a request to the core, by OpenTelemetry's conventions for HTTP clients
//! (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>).
//!
//! A member's id is a person's: the address is told as a template, without the id. And the trace
//! ends here: the core is somebody else's, and is told nothing of it.

use reqwest::{Method, StatusCode};
use runtime::TRACES;
use tracing::{Span, field::Empty};
use url::Url;

use crate::{Call, CoreError, error::Unreachable};

/// Begins it, in the trace of whatever the core is asked for.
pub(crate) fn begin(call: &Call, method: &Method, url: &Url) -> Span {
    tracing::info_span!(
        target: TRACES,
        "request",
        otel.name = %call,
        otel.kind = "client",
        otel.status_code = Empty,
        http.request.method = method.as_str(),
        http.response.status_code = Empty,
        url.template = call.path(),
        url.scheme = url.scheme(),
        server.address = url.host_str(),
        server.port = url.port_or_known_default().map(i64::from),
        "error.type" = Empty,
    )
}

/// Notes the status that was answered.
pub(crate) fn answered(span: &Span, status: StatusCode) {
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if status.is_client_error() || status.is_server_error() {
        span.record("error.type", status.as_str());
        span.record("otel.status_code", "ERROR");
    }
}

/// Notes that there is no whole answer, or a useless one.
pub(crate) fn failed(span: &Span, error: &CoreError) {
    let kind = match error {
        CoreError::Unreachable { kind, .. } => match kind {
            Unreachable::Connect => "connect",
            Unreachable::Tls => "tls",
            Unreachable::PrivateAddress => "private_address",
            Unreachable::Timeout | Unreachable::Slow => "timeout",
            Unreachable::Interrupted => "interrupted",
        },
        CoreError::TooLarge { .. } => "too_large",
        CoreError::BadResponse { .. } | CoreError::NotAnApi { .. } => "bad_response",
        // The status has said it.
        _ => return,
    };
    span.record("error.type", kind);
    span.record("otel.status_code", "ERROR");
}
