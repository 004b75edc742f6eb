//! The page that lists every metric.

use std::collections::{BTreeMap, BTreeSet};

use super::folder::deploy;

/// Programs whose name stands for `PROGRAM` on the page.
const PROGRAMS: [&str; 3] = ["gateway", "worker", "reconciler"];

/// A metric, as the page or a program tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Family {
    pub(super) kind: String,
    pub(super) labels: BTreeSet<String>,
}

/// All metrics of the page, by name.
pub(super) struct Page {
    pub(super) families: BTreeMap<String, Family>,
}

impl Page {
    /// Reads `deploy/metrics.md`: each line of a table whose first cell is a metric.
    pub(super) fn read() -> Self {
        let text = std::fs::read_to_string(deploy("metrics.md")).unwrap();
        let mut families = BTreeMap::new();
        for line in text.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [name, kind, _unit, labels, meaning] = cells[..] else { panic!("{line}") };
            assert!(!meaning.is_empty(), "{line}");
            let labels = labels.split(',').map(|label| label.trim().trim_matches('`').to_owned());
            let family = Family {
                kind: kind.to_owned(),
                labels: labels.filter(|label| !label.is_empty()).collect(),
            };
            let name = name.trim_matches('`');
            let names = match name.strip_prefix("PROGRAM") {
                Some(rest) => PROGRAMS.map(|program| format!("{program}{rest}")).to_vec(),
                None => vec![name.to_owned()],
            };
            for name in names {
                let twice = families.insert(name.clone(), family.clone());
                assert!(twice.is_none(), "{name} stands twice on the page");
            }
        }
        Self { families }
    }

    /// The metric that a series belongs to: a histogram has several.
    pub(super) fn family_of(&self, series: &str) -> Option<&Family> {
        let of_histogram = ["_bucket", "_sum", "_count"].into_iter().find_map(|suffix| {
            self.families.get(series.strip_suffix(suffix)?).filter(|one| one.kind == "histogram")
        });
        self.families.get(series).or(of_histogram)
    }
}

#[test]
fn names_tell_units_and_types() {
    for (name, family) in Page::read().families {
        assert_eq!(name.ends_with("_total"), family.kind == "counter", "{name}");
        if name.contains("duration") || name.contains("age") && family.kind != "counter" {
            assert!(name.ends_with("_seconds") || name.ends_with("_messages"), "{name}");
        }
        assert!(["counter", "gauge", "histogram"].contains(&family.kind.as_str()), "{name}");
    }
}
