//! Gauges that are asked for their value whenever the metrics are shown, and say nothing where they
//! know nothing: a number that nobody vouches for any more looks like all is well.

use std::{
    borrow::Cow,
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use opentelemetry::KeyValue;
use prometheus::proto::{MetricFamily, MetricType};

use super::pipeline::meter;

/// One series of a gauge: its labels, and its value.
pub type Reading = (Vec<(&'static str, String)>, f64);

/// What a series is set to that has nothing to tell any more. OpenTelemetry's SDK (0.33) shows the
/// last value of a series for ever, so those are left out of the text.
const GONE: f64 = f64::MIN;

/// A gauge without labels; none: not known now.
pub fn observe(
    name: impl Into<Cow<'static, str>>,
    description: &'static str,
    read: impl Fn() -> Option<f64> + Send + Sync + 'static,
) {
    observe_each(name, description, move || {
        read().map(|value| (Vec::new(), value)).into_iter().collect()
    });
}

/// A gauge with a series for each reading; what is read no more is shown no more.
pub fn observe_each(
    name: impl Into<Cow<'static, str>>,
    description: &'static str,
    read: impl Fn() -> Vec<Reading> + Send + Sync + 'static,
) {
    let shown: Mutex<HashSet<Vec<KeyValue>>> = Mutex::default();
    meter()
        .f64_observable_gauge(name)
        .with_description(description)
        .with_callback(move |gauge| {
            let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
            let mut gone = std::mem::take(&mut *shown);
            for (labels, value) in read() {
                let labels: Vec<_> =
                    labels.into_iter().map(|(key, value)| KeyValue::new(key, value)).collect();
                gauge.observe(value, &labels);
                gone.remove(&labels);
                shown.insert(labels);
            }
            for labels in gone {
                gauge.observe(GONE, &labels);
            }
        })
        .build();
}

/// Without the series that have nothing to tell, and without families that have no others.
pub(super) fn without_gone(mut families: Vec<MetricFamily>) -> Vec<MetricFamily> {
    for family in &mut families {
        if family.get_field_type() == MetricType::GAUGE {
            let mut series = family.take_metric();
            series.retain(|series| series.get_gauge().get_value() != GONE);
            family.set_metric(series);
        }
    }
    families.retain(|family| !family.get_metric().is_empty());
    families
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    };

    use super::*;

    #[test]
    fn what_is_not_known_any_more_is_not_shown_any_more() {
        let campuses = Arc::new(AtomicU64::new(2));
        let read = Arc::clone(&campuses);
        observe_each("test_campus_age_seconds", "For this test", move || {
            (0..read.load(Ordering::Relaxed))
                .map(|campus| (vec![("campus", campus.to_string())], 7.0))
                .collect()
        });
        let shown = || {
            let text = String::from_utf8(super::super::render()).unwrap();
            text.lines().filter(|line| line.starts_with("test_campus_age_seconds{")).count()
        };
        for known in [2, 1, 0, 2] {
            campuses.store(known, Ordering::Relaxed);
            assert_eq!(shown() as u64, known);
        }
    }
}
