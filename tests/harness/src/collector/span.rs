//! A span as it came over the wire, in words that a test can compare.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value},
    trace::v1::{Span, span::SpanKind, status::StatusCode},
};
use serde_json::{Value, json};

/// What a span is to its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Work within a program.
    Internal,
    /// A request that was answered.
    Server,
    /// A request that was made.
    Client,
    /// A message that was sent.
    Producer,
    /// A message that was processed.
    Consumer,
}

/// A link with another span.
#[derive(Debug, Clone)]
pub struct Link {
    /// Its trace.
    pub trace_id: String,
    /// Itself.
    pub span_id: String,
    /// Why.
    pub attributes: BTreeMap<String, Value>,
}

/// A span.
#[derive(Debug, Clone)]
pub struct CollectedSpan {
    /// `service.name` of the program that made it.
    pub service: String,
    /// All that the program says of itself.
    pub resource: BTreeMap<String, Value>,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// In 32 hex digits.
    pub trace_id: String,
    /// In 16 hex digits.
    pub span_id: String,
    /// In 16 hex digits; none for the first span of a trace.
    pub parent: Option<String>,
    /// With whom it is linked.
    pub links: Vec<Link>,
    /// What it says.
    pub attributes: BTreeMap<String, Value>,
    /// Whether it ended in an error.
    pub is_error: bool,
    /// Nanoseconds since 1970.
    pub began: u64,
    /// The same.
    pub ended: u64,
}

impl CollectedSpan {
    /// Whether the other is linked from here.
    pub fn is_linked_with(&self, other: &Self) -> bool {
        self.links
            .iter()
            .any(|link| link.trace_id == other.trace_id && link.span_id == other.span_id)
    }

    /// An attribute; null where it has none of this name.
    pub fn get(&self, name: &str) -> &Value {
        self.attributes.get(name).unwrap_or(&Value::Null)
    }
}

/// All spans of an export.
pub(super) fn all(export: ExportTraceServiceRequest) -> Vec<CollectedSpan> {
    let mut spans = Vec::new();
    for of_program in export.resource_spans {
        let resource =
            attributes(of_program.resource.map(|resource| resource.attributes).unwrap_or_default());
        let scopes = of_program.scope_spans.into_iter();
        spans.extend(scopes.flat_map(|scope| scope.spans).map(|span| read(span, &resource)));
    }
    spans
}

fn read(span: Span, resource: &BTreeMap<String, Value>) -> CollectedSpan {
    CollectedSpan {
        service: resource.get("service.name").and_then(Value::as_str).unwrap_or("").to_owned(),
        resource: resource.clone(),
        kind: match span.kind() {
            SpanKind::Server => Kind::Server,
            SpanKind::Client => Kind::Client,
            SpanKind::Producer => Kind::Producer,
            SpanKind::Consumer => Kind::Consumer,
            SpanKind::Internal | SpanKind::Unspecified => Kind::Internal,
        },
        is_error: span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error),
        name: span.name,
        trace_id: hex::encode(&span.trace_id),
        span_id: hex::encode(&span.span_id),
        parent: (!span.parent_span_id.is_empty()).then(|| hex::encode(&span.parent_span_id)),
        links: span
            .links
            .into_iter()
            .map(|link| Link {
                trace_id: hex::encode(&link.trace_id),
                span_id: hex::encode(&link.span_id),
                attributes: attributes(link.attributes),
            })
            .collect(),
        attributes: attributes(span.attributes),
        began: span.start_time_unix_nano,
        ended: span.end_time_unix_nano,
    }
}

fn attributes(pairs: Vec<KeyValue>) -> BTreeMap<String, Value> {
    pairs
        .into_iter()
        .map(|pair| {
            let value = match pair.value.and_then(|value| value.value) {
                Some(any_value::Value::StringValue(text)) => json!(text),
                Some(any_value::Value::IntValue(number)) => json!(number),
                Some(any_value::Value::DoubleValue(number)) => json!(number),
                Some(any_value::Value::BoolValue(yes)) => json!(yes),
                Some(other) => json!(format!("{other:?}")),
                None => Value::Null,
            };
            (pair.key, value)
        })
        .collect()
}
