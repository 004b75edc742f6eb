//! W3C trace context in message headers: <https://www.w3.org/TR/trace-context/>.

use lapin::types::AMQPValue;
use opentelemetry::{global, propagation::Injector};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The header's name.
pub(crate) const TRACEPARENT: &str = "traceparent";

struct Headers(Vec<(String, AMQPValue)>);

impl Injector for Headers {
    fn set(&mut self, key: &str, value: String) {
        // An empty `tracestate` says nothing.
        if !value.is_empty() {
            self.0.push((key.to_owned(), AMQPValue::LongString(value.into())));
        }
    }
}

/// The current span's context, as headers.
pub(crate) fn current() -> Vec<(String, AMQPValue)> {
    let mut headers = Headers(Vec::with_capacity(2));
    let context = tracing::Span::current().context();
    global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut headers));
    headers.0
}
