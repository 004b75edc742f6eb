//! What a PromQL expression asks for: metrics and labels. Whether it is a good expression says
//! `promtool`.

use std::collections::BTreeSet;

/// Words that are no metrics, where no bracket tells so.
const WORDS: [&str; 8] = ["and", "or", "unless", "by", "without", "on", "ignoring", "group_left"];

/// The names in an expression.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Expression {
    pub(super) metrics: BTreeSet<String>,
    pub(super) labels: BTreeSet<String>,
}

impl Expression {
    pub(super) fn parse(text: &str) -> Self {
        let mut expression = Self::default();
        let text = without_quoted(text);
        let mut rest = text.as_str();
        let mut grouping = false;
        while let Some(character) = rest.chars().next() {
            let word = rest
                .find(|one: char| !one.is_ascii_alphanumeric() && one != '_' && one != '$')
                .map_or(rest, |end| &rest[..end]);
            if character == '{' {
                let (inside, after) = rest[1..].split_once('}').unwrap();
                expression.labels.extend(matched(inside));
                rest = after;
            } else if character == '[' {
                rest = rest.split_once(']').unwrap().1;
            } else if character == '(' && grouping {
                let (inside, after) = rest[1..].split_once(')').unwrap();
                let labels = inside.split(',').map(|label| label.trim().to_owned());
                expression.labels.extend(labels.filter(|label| !label.is_empty()));
                (rest, grouping) = (after, false);
            } else if word.is_empty() {
                rest = &rest[character.len_utf8()..];
            } else {
                rest = &rest[word.len()..];
                let is_function = rest.starts_with('(');
                if WORDS.contains(&word) {
                    grouping = !["and", "or", "unless"].contains(&word);
                } else if character.is_ascii_alphabetic() && !is_function && !is_aggregation(rest) {
                    expression.metrics.insert(word.to_owned());
                }
            }
        }
        expression
    }
}

/// `sum by (le) (…)`: the function's bracket comes after its grouping.
fn is_aggregation(rest: &str) -> bool {
    ["by", "without"].iter().any(|word| {
        rest.trim_start().strip_prefix(word).is_some_and(|rest| rest.trim_start().starts_with('('))
    })
}

fn without_quoted(text: &str) -> String {
    text.split('"').step_by(2).collect::<Vec<_>>().join("\"\"")
}

/// The labels of a selector, its values taken out.
fn matched(inside: &str) -> impl Iterator<Item = String> {
    let label = |one: &str| one.split(['=', '!', '~']).next().unwrap_or_default().trim().to_owned();
    inside.split(',').map(label).filter(|label| !label.is_empty())
}

#[test]
fn an_expression_names_metrics_and_labels() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    for (text, metrics, labels) in [
        (
            r#"histogram_quantile(0.99, sum by (le, campus) (rate(a_bucket{b=~"x,y",c!="{"}[5m]))) > 90 * 86400"#,
            names(&["a_bucket"]),
            names(&["le", "campus", "b", "c"]),
        ),
        (
            "max(a) / max(b) > 0.8 and on (instance) sum(increase(c_total[$__rate_interval])) == 0",
            names(&["a", "b", "c_total"]),
            names(&["instance"]),
        ),
        (
            "a * on (job) group_left (version) b or absent(c == 1)",
            names(&["a", "b", "c"]),
            names(&["job", "version"]),
        ),
        ("time() - max(a)", names(&["a"]), names(&[])),
    ] {
        assert_eq!(Expression::parse(text), Expression { metrics, labels }, "{text}");
    }
}
