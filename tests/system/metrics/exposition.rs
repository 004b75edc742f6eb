//! The Prometheus text format, as far as it tells of names, types and labels.

use std::collections::BTreeMap;

use super::page::Family;

/// The exporter's own label, on every series.
const SCOPE: &str = "otel_scope_name";

/// The metrics of a program, by name.
pub(super) fn families(text: &str) -> BTreeMap<String, Family> {
    let mut families = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            name.clone_into(&mut current);
            let family = Family { kind: kind.to_owned(), labels: [].into() };
            let twice = families.insert(current.clone(), family);
            assert!(twice.is_none(), "{name} is shown twice");
        } else if !line.starts_with('#') {
            let family: &mut Family = families.get_mut(&current).unwrap();
            for label in labels(line) {
                // The bounds of a histogram.
                if label != SCOPE && !(label == "le" && family.kind == "histogram") {
                    family.labels.insert(label);
                }
            }
        }
    }
    families
}

/// The names of a series' labels. No value of ours has a quotation mark.
fn labels(line: &str) -> Vec<String> {
    let Some((_, rest)) = line.split_once('{') else { return Vec::new() };
    let (inside, _) = rest.rsplit_once('}').unwrap();
    let names = inside.split('"').step_by(2).map(|part| part.trim_matches([',', '=']).to_owned());
    names.filter(|name| !name.is_empty()).collect()
}

#[test]
fn labels_are_read() {
    let text = "# HELP a_total Some\n# TYPE a_total counter\n\
                a_total{status=\"202\",otel_scope_name=\"x\"} 1\na_total 2\n";
    let family = &families(text)["a_total"];
    assert_eq!((family.kind.as_str(), family.labels.len()), ("counter", 1));
    assert!(family.labels.contains("status"));
}
