//! The dashboards, asked of a real Prometheus while cores fail.

use std::collections::BTreeSet;

use serde_json::Value;

use super::prometheus::Prometheus;
use crate::metrics::folder::files;

/// What must be seen of events that come to no end, and of whose they are.
const TELLING: [&str; 7] = [
    "Age of the oldest unfinished event",
    "Answers",
    "Failed requests",
    "Oldest unfinished event",
    "Open circuit breakers",
    "Unfinished events",
    "Waiting for another attempt",
];

/// Every query of every panel can be answered, those that tell of the failure have something to show, and a campus is
/// called by its name.
pub(super) async fn assert_panels_show(prometheus: &Prometheus, names: &BTreeSet<&str>) {
    let mut shown = BTreeSet::new();
    for (file, text) in files("grafana", "json") {
        let dashboard: Value = serde_json::from_str(&text).unwrap();
        for panel in dashboard["panels"].as_array().unwrap() {
            let title = panel["title"].as_str().unwrap();
            for target in panel["targets"].as_array().into_iter().flatten() {
                let query = target["expr"].as_str().unwrap();
                let query = query.replace("$campus", ".*").replace("$__rate_interval", "10s");
                let series = prometheus.query(&query).await;
                let series = series.unwrap_or_else(|error| panic!("{file}: {title}: {error}"));
                if !series.is_empty() {
                    shown.insert(title.to_owned());
                }
                if target["legendFormat"].as_str().unwrap().contains("{{name}}") {
                    let is_named = |one: &Value| {
                        one["metric"]["name"].as_str().is_some_and(|name| names.contains(name))
                    };
                    assert!(series.iter().all(is_named), "{file}: {title}: {series:?}");
                }
            }
        }
    }
    for title in TELLING {
        assert!(shown.contains(title), "{title} shows nothing: {shown:?}");
    }
}
