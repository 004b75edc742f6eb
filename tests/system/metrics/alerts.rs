//! The alerts: each about metrics that there are, and tried by `promtool`. Each is fired by its fault in `alerts/`.

use std::{
    collections::BTreeSet,
    process::{Command, Output},
};

use super::{
    assert_exists,
    folder::{deploy, files},
    page::Page,
};

/// A rule. The files are written in one way only, which is all that is understood here; whether
/// they are good rules says `promtool`.
#[derive(Debug)]
struct Alert<'a> {
    name: &'a str,
    expression: String,
    text: &'a str,
}

fn alerts(file: &str) -> Vec<Alert<'_>> {
    let parts = file.split("      - alert: ").skip(1);
    parts
        .map(|text| {
            let (name, rest) = text.split_once('\n').unwrap();
            let (_, expression) = rest.split_once("        expr: ").unwrap();
            let (expression, _) = expression.split_once("\n        for: ").unwrap();
            let expression = expression.trim_start_matches('|').trim().to_owned();
            Alert { name, expression, text }
        })
        .collect()
}

/// The value of a key that stands on one line.
fn value<'a>(alert: &Alert<'a>, key: &str) -> &'a str {
    let line = alert.text.lines().find_map(|line| line.trim_start().strip_prefix(key));
    line.and_then(|rest| rest.strip_prefix(": "))
        .unwrap_or_else(|| panic!("{} has no {key}", alert.name))
}

#[test]
fn every_alert_is_about_metrics_that_there_are_and_has_a_test() {
    let page = Page::read();
    let mut names = BTreeSet::new();
    for (file, text) in files("alerts", "yaml") {
        let tests = std::fs::read_to_string(deploy("alerts/tests").join(&file)).unwrap();
        for alert in alerts(&text) {
            assert!(names.insert(alert.name.to_owned()), "{} is there twice", alert.name);
            assert_exists(&page, &alert.expression, alert.name);
            assert!(!value(&alert, "summary").is_empty());
            value(&alert, "description");
            let severity = value(&alert, "labels");
            assert!(
                ["{severity: critical}", "{severity: warning}"].contains(&severity),
                "{}: {severity}",
                alert.name
            );
            let fired = format!("labels: '{{alertname=\"{}\"", alert.name);
            let fired =
                tests.lines().any(|line| line.contains(&fired) && line.contains("value: 1"));
            let shown = format!("labels: 'ALERTS{{alertname=\"{}\"", alert.name);
            assert!(fired || tests.contains(&shown), "{} is untried", alert.name);
        }
    }
    assert!(names.len() >= 20, "{names:?}");
}

#[test]
fn alerts_fire_when_they_should_and_at_no_other_time() {
    let alerts = files("alerts", "yaml");
    for (file, _) in &alerts {
        promtool(&["check", "rules"], &format!("alerts/{file}"));
        promtool(&["test", "rules"], &format!("alerts/tests/{file}"));
    }
    assert_eq!(files("alerts/tests", "yaml").len(), alerts.len());
}

fn promtool(arguments: &[&str], file: &str) {
    let output: Output = Command::new("promtool")
        .args(arguments)
        .arg(deploy(file))
        .output()
        .unwrap_or_else(|error| {
            panic!(
                "promtool cannot be run ({error}): it comes with Prometheus, `apt-get install prometheus`; deploy/test installs it"
            )
        });
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{file}: {}", String::from_utf8_lossy(&said));
}
