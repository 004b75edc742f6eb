//! The rules, as Prometheus reads them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::metrics::folder::files;

/// How much shorter the ranges are in a test that an expression looks back over: six scrapes are in the shortest.
const RANGES_SHORTER: u32 = 20;
/// The same of ages: campuses that a gateway knows as of half a minute ago are still no fault.
const AGES_SHORTER: u32 = 8;
/// What a number of minutes, hours or days is multiplied with. None begins with another.
const UNITS: [&str; 3] = ["60", "3600", "86400"];
/// What `for` and `keep_firing_for` are in a test: two evaluations.
const PENDING: &str = "1s";

/// An alert.
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) expression: String,
    pub(super) pending: Duration,
    pub(super) runbook: String,
    /// What a person reads first.
    pub(super) summary: String,
}

/// Every alert.
pub(super) fn all() -> Vec<Rule> {
    let groups =
        read().into_iter().flat_map(|(_, file)| file["groups"].as_array().unwrap().clone());
    let rules = groups.flat_map(|group| group["rules"].as_array().unwrap().clone());
    rules
        .map(|rule| {
            let text = |key: &str| rule[key].as_str().unwrap().to_owned();
            let annotation = |key: &str| rule["annotations"][key].as_str().unwrap().to_owned();
            Rule {
                name: text("alert"),
                expression: text("expr"),
                pending: duration(&text("for")),
                runbook: annotation("runbook_url"),
                summary: annotation("summary"),
            }
        })
        .collect()
}

/// The files by name, with shorter times: ranges, and ages (`N * 60`, `N * 3600`, `N * 86400`), by a factor each; what an
/// alert must last before it fires becomes two evaluations. Numbers of things stay what they are.
pub(super) fn shortened() -> Vec<(String, Value)> {
    let mut files = read();
    for (_, file) in &mut files {
        for group in file["groups"].as_array_mut().unwrap() {
            for rule in group["rules"].as_array_mut().unwrap() {
                rule["expr"] = json!(shorten(rule["expr"].as_str().unwrap()));
                for key in ["for", "keep_firing_for"] {
                    if rule.get(key).is_some() {
                        rule[key] = json!(PENDING);
                    }
                }
            }
        }
    }
    files
}

fn read() -> Vec<(String, Value)> {
    let read = |(name, text): (String, String)| {
        let file = serde_saphyr::from_multiple::<Value>(&text).unwrap().remove(0);
        (name, file)
    };
    files("alerts", "yaml").into_iter().map(read).collect()
}

fn shorten(expression: &str) -> String {
    let (mut shorter, mut rest) = (Vec::new(), expression);
    while let Some((before, after)) = rest.split_once('[') {
        let (range, after) = after.split_once(']').unwrap();
        // Or a regular expression's.
        let range = runtime::parse_duration(range).map_or(range.to_owned(), |range| {
            format!("{}ms", (range / RANGES_SHORTER).as_millis())
        });
        shorter.push(format!("{before}[{range}]"));
        rest = after;
    }
    let mut shorter = shorter.concat() + rest;
    for unit in UNITS {
        shorter = shorter.replace(&format!("* {unit}"), &format!("* {unit} / {AGES_SHORTER}"));
    }
    shorter
}

/// The ranges that an expression looks back over.
pub(super) fn ranges(expression: &str) -> Vec<Duration> {
    let after = expression.split('[').skip(1);
    after.filter_map(|after| runtime::parse_duration(after.split(']').next()?)).collect()
}

/// The ages that an expression waits for: `N * 60` and the like.
pub(super) fn ages(expression: &str) -> Vec<Duration> {
    let words: Vec<&str> = expression.split_whitespace().collect();
    let product = |words: &[&str]| {
        let is_age = words[1] == "*" && UNITS.contains(&words[2]);
        let [number, unit] = [words[0], words[2]].map(|word| word.parse::<u64>().ok());
        is_age.then_some(Duration::from_secs(number? * unit?))
    };
    words.windows(3).filter_map(product).collect()
}

/// `15s`, `5m`, `18h`.
pub(super) fn duration(text: &str) -> Duration {
    runtime::parse_duration(text).unwrap_or_else(|| panic!("{text} is no duration"))
}

#[test]
fn times_are_shortened_and_numbers_of_things_are_not() {
    let expression = "increase(a_total{b=~\"60[.]\"}[10m]) > 60\n  or time() - c > 6 * 3600";
    assert_eq!(ages(expression), [Duration::from_hours(6)]);
    assert_eq!(ranges(expression), [Duration::from_mins(10)]);
    let shorter = "increase(a_total{b=~\"60[.]\"}[30000ms]) > 60\n  or time() - c > 6 * 3600 / 8";
    assert_eq!(shorten(expression), shorter);
}
