//! What the programs show of themselves, held against what is written and asked about it: the page
//! `deploy/metrics.md`, the dashboards, the alerts.

mod alerts;
mod dashboards;
mod exposition;
pub(crate) mod folder;
mod oldest;
mod page;
mod promql;
mod test_bed;

use std::collections::BTreeSet;

use self::{page::Page, promql::Expression};

/// Fails where an expression names a metric or a label that no program shows.
#[track_caller]
fn assert_exists(page: &Page, expression: &str, whose: &str) {
    let parsed = Expression::parse(expression);
    assert!(!parsed.metrics.is_empty(), "{whose}: {expression}");
    let mut labels: BTreeSet<String> = ["instance", "job"].map(str::to_owned).into();
    for metric in &parsed.metrics {
        // Prometheus's own.
        if metric == "up" {
            continue;
        }
        let family = page.family_of(metric);
        let family = family.unwrap_or_else(|| panic!("{whose}: no program shows {metric}"));
        labels.extend(family.labels.iter().cloned());
        if family.kind == "histogram" {
            labels.insert("le".to_owned());
        }
    }
    for label in &parsed.labels {
        assert!(labels.contains(label), "{whose}: no metric of it has the label {label}");
    }
}
