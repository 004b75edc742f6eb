//! Traces, as a collector gets them.

mod journey;
mod outage;
mod replay;
mod run;

use std::time::Duration;

use harness::{
    collector::{CollectedSpan, Collector, Kind},
    {SystemBuilder, TestSystem, eventually},
};

const SOON: Duration = Duration::from_mins(1);

/// A system whose programs export to `collector`, soon after each span has ended.
fn traced(collector: &Collector) -> SystemBuilder {
    TestSystem::builder()
        .variable("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
        .variable("OTEL_BSP_SCHEDULE_DELAY", "50")
}

/// The spans of a trace, once they satisfy `are_all`.
async fn trace_with(
    collector: &Collector,
    id: &str,
    are_all: impl Fn(&[CollectedSpan]) -> bool,
) -> Vec<CollectedSpan> {
    eventually("the trace has all its spans", SOON, async || {
        let spans = collector.trace(id);
        if are_all(&spans) { Ok(spans) } else { Err(format!("{:#?}", outline(&spans))) }
    })
    .await
}

/// Services, kinds and names, in the order in which they began.
fn outline(spans: &[CollectedSpan]) -> Vec<(&str, Kind, &str)> {
    let mut spans: Vec<&CollectedSpan> = spans.iter().collect();
    spans.sort_by_key(|span| span.began);
    spans.iter().map(|span| (span.service.as_str(), span.kind, span.name.as_str())).collect()
}

fn count(spans: &[CollectedSpan], name: &str) -> usize {
    spans.iter().filter(|span| span.name == name).count()
}

/// The one span of this name.
#[track_caller]
fn only<'a>(spans: &'a [CollectedSpan], name: &str) -> &'a CollectedSpan {
    let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    let [span] = found[..] else { panic!("{name}: {:#?}", outline(spans)) };
    span
}

#[track_caller]
fn assert_child(child: &CollectedSpan, parent: &CollectedSpan) {
    assert_eq!(child.trace_id, parent.trace_id);
    assert_eq!(child.parent.as_ref(), Some(&parent.span_id), "{child:#?}\n{parent:#?}");
    assert!(child.began >= parent.began, "{child:#?}\n{parent:#?}");
}

/// That none of the texts is anywhere in what the collector got.
#[track_caller]
fn assert_silent(collector: &Collector, texts: &[&str]) {
    let spans = format!("{:?}", collector.spans());
    for text in texts {
        assert!(!spans.contains(text), "{text:?} is in a span");
    }
}
