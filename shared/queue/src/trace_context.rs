//! W3C trace context in message headers: <https://www.w3.org/TR/trace-context/>.

use lapin::types::AMQPValue;
use opentelemetry::{TraceId, global, propagation::Injector};
use rand::RngExt;
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

/// A context within the trace of this id, as a header; none where it is no trace's id. The span
/// that it names as parent is known to nobody: a trace is continued that may have ended days ago.
pub(crate) fn of(trace_id: &str) -> Option<(&'static str, AMQPValue)> {
    let trace = TraceId::from_hex(trace_id).ok().filter(|trace| *trace != TraceId::INVALID)?;
    let span: u64 = rand::rng().random_range(1..u64::MAX);
    let value = format!("00-{trace}-{span:016x}-01");
    Some((TRACEPARENT, AMQPValue::LongString(value.into())))
}
