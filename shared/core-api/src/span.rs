//! The span of a request to the core, by OpenTelemetry's conventions for HTTP clients
//! (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>).
//!
//! A member's id is a person's: the address is told as a template, without the id. And the trace
//! ends here: the core is somebody else's, and is told nothing of it.

use std::fmt;

use reqwest::{Method, StatusCode};
use runtime::TRACES;
use tracing::{Span, field::Empty};
use url::Url;

use crate::{CoreError, Operation, error::Unreachable};

/// Begins it, in the trace of whatever the core is asked for.
pub(crate) fn begin(operation: Operation, method: &Method, url: &Url) -> Span {
    let template = Template { operation, url };
    tracing::info_span!(
        target: TRACES,
        "request",
        otel.name = %format_args!("{method} {template}"),
        otel.kind = "client",
        otel.status_code = Empty,
        http.request.method = method.as_str(),
        http.response.status_code = Empty,
        url.template = %template,
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

/// The path, with a placeholder where the member's id is.
struct Template<'a> {
    operation: Operation,
    url: &'a Url,
}

impl fmt::Display for Template<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.url.path();
        match (self.operation, path.rsplit_once('/')) {
            (Operation::FetchMember, Some((members, _))) => write!(formatter, "{members}/{{id}}"),
            _ => formatter.write_str(path),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use super::*;

    #[test]
    fn a_template_has_no_ids() {
        let template =
            |operation, url: &str| Template { operation, url: &url.parse().unwrap() }.to_string();
        let member = "https://core.example.org/api/members/8655d76b%2F9";
        assert_eq!(template(Operation::FetchMember, member), "/api/members/{id}");
        let list = "https://core.example.org/api/members/?skip=0&limit=9";
        assert_eq!(template(Operation::ListMembers, list), "/api/members/");
        let login = "https://core.example.org/api/auth/login";
        assert_eq!(template(Operation::LogIn, login), "/api/auth/login");
    }
}
