//! A place in a trace, and how it travels: as W3C trace context
//! (<https://www.w3.org/TR/trace-context/>).
//!
//! Every event has a trace's id, whether or not spans are exported: rows and log lines are found by
//! it, and a program that exports nothing does not break the traces of its neighbours.

use std::fmt;

use opentelemetry::{
    Context, KeyValue, SpanId, TraceFlags, TraceId,
    propagation::{Extractor, TextMapPropagator},
    trace::{SpanContext, TraceContextExt, TraceState},
};
use opentelemetry_sdk::{
    propagation::TraceContextPropagator,
    trace::{IdGenerator, RandomIdGenerator},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

const TRACEPARENT: &str = "traceparent";

/// What a message or a request says of its trace: the trace's id, and the span that it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext(SpanContext);

impl TraceContext {
    /// The beginning of a trace that has no spans.
    pub fn random() -> Self {
        Self::within(RandomIdGenerator::default().new_trace_id())
    }

    /// A place in the trace with this id, in 32 hex digits; none where it is no trace's. The span
    /// that it names is known to nobody: a trace is continued that may have ended days ago.
    pub fn of_trace(id: &str) -> Option<Self> {
        TraceId::from_hex(id).ok().filter(|id| *id != TraceId::INVALID).map(Self::within)
    }

    /// Reads a `traceparent`; none where it is not one.
    pub fn parse(traceparent: &str) -> Option<Self> {
        let context = TraceContextPropagator::new()
            .extract_with_context(&Context::new(), &Traceparent(traceparent));
        let span = context.span().span_context().clone();
        span.is_valid().then_some(Self(span))
    }

    /// Where `span` is; none where it is not exported.
    pub fn of(span: &Span) -> Option<Self> {
        if span.is_disabled() {
            return None;
        }
        let context = span.context().span().span_context().clone();
        context.is_valid().then_some(Self(context))
    }

    /// Makes a span that has not begun to be used a child of this place. Unlike a child within the
    /// program, it does not keep its parent from ending.
    pub fn adopt(&self, span: &Span) {
        if !span.is_disabled() {
            let parent = Context::new().with_remote_span_context(self.0.clone());
            // An error says that nothing exports spans; there is nothing to continue then.
            span.set_parent(parent).ok();
        }
    }

    /// The trace's id, which is shown in 32 hex digits.
    pub fn trace_id(&self) -> impl fmt::Display + fmt::Debug + use<> {
        self.0.trace_id()
    }

    /// The header's value.
    pub fn traceparent(&self) -> String {
        let flags = self.0.trace_flags() & TraceFlags::SAMPLED;
        format!("00-{}-{}-{:02x}", self.0.trace_id(), self.0.span_id(), flags.to_u8())
    }

    /// Whoever exports spans decides by the flag: nobody has decided against them yet.
    fn within(trace: TraceId) -> Self {
        let span: SpanId = RandomIdGenerator::default().new_span_id();
        Self(SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::default()))
    }
}

/// What happens to one event here: a span where spans are exported, and its place in the event's
/// trace in any case.
#[derive(Debug, Clone)]
pub struct Trace {
    span: Span,
    context: TraceContext,
}

impl Trace {
    /// Of a span that begins a trace, or has its parent in this program.
    pub fn of(span: Span) -> Self {
        let context = TraceContext::of(&span).unwrap_or_else(TraceContext::random);
        Self { span, context }
    }

    /// Of a span that goes on where a message came from: its child, and linked with it, as the
    /// conventions for messaging ask for
    /// (<https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/>).
    pub fn continued(span: Span, from: Option<TraceContext>) -> Self {
        let Some(from) = from else { return Self::of(span) };
        from.adopt(&span);
        if !span.is_disabled() {
            span.add_link(from.0.clone());
        }
        let context = TraceContext::of(&span).unwrap_or(from);
        Self { span, context }
    }

    /// The span; one that does nothing where none are exported.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Its place.
    pub fn context(&self) -> &TraceContext {
        &self.context
    }

    /// The trace's id, which is shown in 32 hex digits.
    pub fn id(&self) -> impl fmt::Display + fmt::Debug + use<> {
        self.context.trace_id()
    }

    /// Links with a place in another trace, and says why.
    pub fn link(&self, to: &TraceContext, why: &'static str) {
        if !self.span.is_disabled() {
            self.span.add_link_with_attributes(to.0.clone(), why_linked(why));
        }
    }
}

/// Links `span` with `other`, where both are exported, and says why.
pub fn link(span: &Span, other: &Span, why: &'static str) {
    if let Some(TraceContext(other)) = TraceContext::of(other) {
        span.add_link_with_attributes(other, why_linked(why));
    }
}

/// Of spans that something is done for at once, the one to show it under: the first that is kept.
pub fn leader<'a>(mut spans: impl Iterator<Item = &'a Span>) -> Option<&'a Span> {
    spans.find(|span| TraceContext::of(span).is_some_and(|context| context.0.is_sampled()))
}

/// Links `work`, which is done for many at once, with the spans of all of them, and each of those
/// with it: whichever trace one comes from, the others are found.
pub fn share<'a>(work: &Span, whom: impl Iterator<Item = &'a Span>, why: &'static str) {
    if work.is_disabled() {
        return;
    }
    for span in whom {
        link(work, span, why);
        link(span, work, why);
    }
}

/// A number as an attribute: one without a sign would be exported as text.
pub fn number(value: impl TryInto<i64>) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

fn why_linked(why: &'static str) -> Vec<KeyValue> {
    vec![KeyValue::new("faithtracker.link", why)]
}

struct Traceparent<'a>(&'a str);

impl Extractor for Traceparent<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT).then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use super::*;

    #[test]
    fn a_context_is_written_as_it_was_read() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context = TraceContext::parse(text).unwrap();
        assert_eq!(context.traceparent(), text);
        assert_eq!(context.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        let unsampled = text.replace("-01", "-00");
        assert_eq!(TraceContext::parse(&unsampled).unwrap().traceparent(), unsampled);
    }

    #[test]
    fn what_is_no_context_is_none() {
        for odd in [
            "",
            "00",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473X-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceContext::parse(odd), None, "{odd}");
        }
        assert_eq!(TraceContext::of_trace("0"), None);
        assert_eq!(TraceContext::of_trace(&"0".repeat(32)), None);
    }

    #[test]
    fn an_event_has_a_trace_even_where_nothing_exports_spans() {
        let first = Trace::of(Span::none());
        let next =
            Trace::continued(Span::none(), TraceContext::parse(&first.context().traceparent()));
        assert_eq!(first.id().to_string().len(), 32);
        assert_eq!(first.id().to_string(), next.id().to_string());
        assert_ne!(first.id().to_string(), Trace::of(Span::none()).id().to_string());
    }
}
