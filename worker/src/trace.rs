//! Continuing the gateway's trace.

use std::collections::HashMap;

use opentelemetry::{
    Context, global,
    trace::{SpanContext, TraceContextExt},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Makes `span` a child of the W3C `traceparent`, and answers the trace's id. None where the
/// header cannot be read.
pub(crate) fn join(span: &Span, traceparent: &str) -> Option<String> {
    let context = context(traceparent);
    let id = valid_id(context.span().span_context())?;
    // An error says that no layer exports spans; there is nothing to join then.
    span.set_parent(context).ok();
    Some(id)
}

/// The trace's id in a W3C `traceparent`.
pub(crate) fn id(traceparent: &str) -> Option<String> {
    valid_id(context(traceparent).span().span_context())
}

fn context(traceparent: &str) -> Context {
    let carrier = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    global::get_text_map_propagator(|propagator| propagator.extract(&carrier))
}

fn valid_id(trace: &SpanContext) -> Option<String> {
    trace.is_valid().then(|| trace.trace_id().to_string())
}
