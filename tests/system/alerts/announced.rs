//! How long the rules take with their real times.

use std::{fs, time::Duration};

use serde_json::Value;

use super::rules::{Rule, ages, all, duration, ranges};
use crate::metrics::folder::deploy;

/// A fault is announced within this.
const WITHIN: Duration = Duration::from_mins(5);

/// How long a program goes on telling what it asked of somebody who is away (`shared/queue/src/watch.rs`).
const STALE: Duration = Duration::from_secs(30);

/// Alerts of the faults that somebody must be told of within five minutes.
const URGENT: [&str; 20] = [
    "BacklogNotTaken",
    "BacklogOld",
    "BacklogUnknown",
    "CampusFailing",
    "CoreAway",
    "CoreRefusesLogin",
    "CoreSlow",
    "EventsRetrying",
    "MembersUndecided",
    "NoGateway",
    "NoWorker",
    "NobodyConsumes",
    "NothingFetched",
    "ProgramDown",
    "ProgramNotReady",
    "ReconciliationHeld",
    "ReconciliationOverdue",
    "WebhookSecretUnreadable",
    "WebhooksAnswered503",
    "WebhooksNotQueued",
];

/// What these wait for is the fault itself: a campus is overdue after a day.
const AGE_IS_FAULT: [&str; 1] = ["ReconciliationOverdue"];

/// From the fault to the alert at the worst: until it is scraped, until it fills the range or the age that the rule
/// looks at, until the rule is evaluated, and as long as it must last.
fn announced_after(rule: &Rule, scraped_every: Duration, evaluated_every: Duration) -> Duration {
    // One that is more than none need not fill a range.
    let is_any = rule.expression.trim_end().ends_with("> 0");
    let mut looks_at = if is_any { Vec::new() } else { ranges(&rule.expression) };
    if !AGE_IS_FAULT.contains(&rule.name.as_str()) {
        looks_at.extend(ages(&rule.expression));
    }
    if rule.expression.contains("absent(queue_") {
        looks_at.push(STALE);
    }
    let longest = looks_at.into_iter().max().unwrap_or_default();
    scraped_every + longest + evaluated_every + rule.pending
}

#[test]
fn a_fault_that_nobody_may_sleep_through_is_announced_within_five_minutes() {
    let text = fs::read_to_string(deploy("compose/prometheus.yml")).unwrap();
    let configuration = serde_saphyr::from_multiple::<Value>(&text).unwrap().remove(0);
    let every = |key: &str| duration(configuration["global"][key].as_str().unwrap());
    let (scraped, evaluated) = (every("scrape_interval"), every("evaluation_interval"));
    let rules = all();
    for name in URGENT {
        let rule = rules.iter().find(|rule| rule.name == name).unwrap();
        let after = announced_after(rule, scraped, evaluated);
        assert!(after <= WITHIN, "{name} is announced after {after:?}");
    }
}

#[test]
fn a_campus_is_called_by_its_name() {
    const NAME: &str = "{{ with printf \"last_over_time(campus_info{campus=%q}[10m])\" $labels.campus | query }}\
                        {{ . | first | label \"name\" }}{{ else }}{{ $labels.campus }}{{ end }}";
    let mut of_campuses = 0;
    for rule in all() {
        if rule.expression.contains("by (campus") {
            assert!(rule.summary.contains(NAME), "{}: {}", rule.name, rule.summary);
            of_campuses += 1;
        }
    }
    assert!(of_campuses > 8, "{of_campuses}");
}
