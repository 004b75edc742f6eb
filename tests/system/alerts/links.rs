//! Each alert's `runbook_url`: a whole URL, and what it leads to is there.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use support::servers::DataFolder;

use super::rules::all;
use crate::metrics::folder::{deploy, files};

/// The anchor that a heading of a Markdown file has.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|one| one.is_alphanumeric() || " -_".contains(*one));
    kept.collect::<String>().replace(' ', "-")
}

#[test]
fn every_alert_leads_to_a_runbook_that_is_there() {
    let mut bases = BTreeSet::new();
    for rule in all() {
        let (page, place) = rule.runbook.split_once('#').unwrap_or((&rule.runbook, ""));
        let (base, file) = page.rsplit_once('/').unwrap();
        assert!(base.starts_with("http"), "{}: {page} cannot be clicked", rule.name);
        bases.insert(base.to_owned());
        let text = fs::read_to_string(deploy("runbooks").join(file));
        let text = text.unwrap_or_else(|_| panic!("{}: there is no {file}", rule.name));
        let mut headings = text.lines().filter_map(|line| line.strip_prefix('#'));
        let is_there = place.is_empty()
            || headings.any(|heading| anchor(heading.trim_start_matches('#')) == place);
        assert!(is_there, "{}: {file} has no {place}", rule.name);
    }
    assert_eq!(bases.len(), 1, "set by deploy/alerts/runbooks-at: {bases:?}");
}

#[test]
fn one_command_sets_where_runbooks_are_read() {
    const BASE: &str = "https://git.example.org/faithtracker/deploy/runbooks/";
    let folder = DataFolder::temporary().unwrap();
    for part in ["alerts", "alerts/tests", "k8s/monitoring"] {
        fs::create_dir_all(folder.join(part)).unwrap();
        for entry in
            fs::read_dir(deploy(part)).unwrap().flatten().filter(|one| one.path().is_file())
        {
            fs::copy(entry.path(), folder.join(part).join(entry.file_name())).unwrap();
        }
    }
    let run = |arguments: &[&str]| {
        Command::new(folder.join("alerts/runbooks-at")).args(arguments).output().unwrap()
    };
    for wrong in [&[][..], &["deploy/runbooks"]] {
        assert_eq!(run(wrong).status.code(), Some(2));
    }
    let output = run(&[BASE]);
    assert!(output.status.success(), "{output:?}");
    let links = |text: &str, prefix: &str| {
        let links = text.lines().filter_map(|line| line.trim_start().strip_prefix("runbook_url: "));
        links.filter(|link| link.starts_with(prefix)).count()
    };
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    let of_alerts: usize = files("alerts", "yaml")
        .iter()
        .map(|(file, _)| links(&read(&folder.join("alerts").join(file)), BASE))
        .sum();
    let of_kubernetes = links(&read(&folder.join("k8s/monitoring/rules.yaml")), BASE);
    assert_eq!((of_alerts, of_kubernetes), (all().len(), all().len()));
}

#[test]
fn a_heading_has_its_anchor() {
    assert_eq!(anchor(" 1. Look (one minute)"), "1-look-one-minute");
    assert_eq!(anchor("It leaked"), "it-leaked");
}
