//! The alerts of `deploy/alerts/`, each by the fault that it is for: real programs are given it, and a real Prometheus
//! that scrapes them says so. It loads the rules as they are, with shorter times (`rules::shortened`); that the real
//! times are short enough, where somebody must be told within five minutes, is held by `announced`.
//!
//! Faults that bear each other stand in one system, and systems beside each other in one test: most of it is waiting.

mod announced;
mod broker;
mod cores;
mod links;
mod panels;
mod postgres;
mod programs;
mod prometheus;
mod reconciliation;
mod rules;
mod settings;

use std::collections::BTreeSet;

/// Alerts that no fault here makes, and why; the rule tests in `deploy/alerts/tests/` try them on invented series.
const ONLY_RULE_TESTED: [(&str, &str); 1] = [(
    "CertificateRenewalFailing",
    "its metric follows files that a gateway looks at, held by gateway::tls; the rule compares it with 1",
)];

/// What each scenario makes fire.
const FAULTS: [&[&str]; 6] = [
    &broker::ALERTS,
    &cores::ALERTS,
    &postgres::ALERTS,
    &programs::ALERTS,
    &reconciliation::ALERTS,
    &settings::ALERTS,
];

#[test]
fn every_alert_is_fired_by_a_fault_or_it_is_said_why_not() {
    let mut tested: BTreeSet<String> =
        FAULTS.iter().copied().flatten().map(|name| (*name).to_owned()).collect();
    for (name, reason) in ONLY_RULE_TESTED {
        assert!(tested.insert(name.to_owned()), "{name} is fired by a fault");
        assert!(!reason.is_empty());
    }
    let names: BTreeSet<String> = rules::all().into_iter().map(|rule| rule.name).collect();
    assert_eq!(tested, names);
}

#[tokio::test]
async fn cores_and_reconciliations_that_fail_are_announced() {
    tokio::join!(cores::fail(), reconciliation::fails());
}

#[tokio::test]
async fn programs_servers_and_settings_that_fail_are_announced() {
    tokio::join!(programs::fail(), postgres::fails(), settings::are_wrong());
}

#[tokio::test]
async fn a_broker_that_is_full_and_one_that_is_away_are_announced() {
    broker::fails().await;
}
