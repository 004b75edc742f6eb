//! Whatever a comment or a document cites exists: `rule worker-3` is a heading of a crate's README.md, `interface §2`
//! one of deploy/interface.md, `decision 5` one of ARCHITECTURE.md.

use std::{collections::BTreeSet, fs, path::Path};

use super::{crates, files_in, root};

/// What follows `word` in the text, as far as it can belong to a number.
fn cited<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(word).map(move |(at, _)| {
        let rest = &text[at + word.len()..];
        let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
        rest[..end.unwrap_or(rest.len())].trim_end_matches('-')
    })
}

/// `worker-3`, unlike "the rule of".
fn is_rule(name: &str) -> bool {
    let number = name.rsplit_once('-').map(|(_, number)| number);
    number.is_some_and(|number| number.parse::<u32>().is_ok())
}

/// The first words of the headings of this level.
fn headings(document: &str, level: &str) -> BTreeSet<String> {
    let lines = document.lines().filter_map(|line| line.strip_prefix(level));
    lines.map(|line| line.split([':', '.']).next().unwrap().trim().to_owned()).collect()
}

#[test]
fn every_rule_section_and_decision_that_is_cited_exists() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let sections = headings(&read("deploy/interface.md"), "## ");
    let decisions = headings(&read("ARCHITECTURE.md"), "### Decision ");
    let readmes = crates().into_iter().map(|folder| folder.join("README.md"));
    let rules: BTreeSet<_> = readmes
        .filter_map(|readme| fs::read_to_string(readme).ok())
        .flat_map(|readme| headings(&readme, "### "))
        .collect();

    let mut missing = Vec::new();
    for file in files_in(&root(), &["rs", "md", "sql", "toml", "sh", "yaml"]) {
        let text = fs::read_to_string(&file).unwrap().replace('`', "");
        let name = file.strip_prefix(root()).unwrap().display();
        // Split, so that this file cites nothing.
        for (word, known) in [
            (concat!("rule", " "), &rules),
            (concat!("interface", " §"), &sections),
            (concat!("decision", " "), &decisions),
        ] {
            for number in cited(&text, word) {
                let is_citation = match word.trim() {
                    "rule" => is_rule(number),
                    _ => number.parse::<u32>().is_ok(),
                };
                if is_citation && !known.contains(number) {
                    missing.push(format!("{name}: {word}{number}"));
                }
            }
        }
    }
    assert!(missing.is_empty(), "cited, and not there:\n{}", missing.join("\n"));
}

/// A document that names a file which was moved leads nowhere.
#[test]
fn every_source_file_that_a_document_names_is_there() {
    // `queue/lane.rs` is short for `shared/queue/src/lane.rs`.
    let parts = |path: &str| -> Vec<String> {
        path.split('/')
            .filter(|part| !["src", "..", "."].contains(part))
            .map(str::to_owned)
            .collect()
    };
    let sources: Vec<_> = files_in(&root(), &["rs"])
        .iter()
        .map(|file| parts(file.strip_prefix(root()).unwrap().to_str().unwrap()))
        .collect();
    let mut missing = Vec::new();
    for document in files_in(&root(), &["md"]) {
        let text = fs::read_to_string(&document).unwrap();
        let name = document.strip_prefix(root()).unwrap().display();
        let is_path = |letter: char| letter.is_ascii_alphanumeric() || "_-./".contains(letter);
        for path in text.split('`').filter(|path| path.chars().all(is_path)) {
            let is_source = Path::new(path).extension().is_some_and(|extension| extension == "rs");
            if is_source && !sources.iter().any(|source| source.ends_with(&parts(path))) {
                missing.push(format!("{name}: {path}"));
            }
        }
    }
    assert!(missing.is_empty(), "named, and not there:\n{}", missing.join("\n"));
}

/// A rule that no test holds is a wish.
#[test]
fn every_rule_names_a_test_that_exists() {
    let mut missing = Vec::new();
    for readme in crates().into_iter().map(|folder| folder.join("README.md")) {
        let Ok(text) = fs::read_to_string(&readme) else { continue };
        let name = readme.strip_prefix(root()).unwrap().display();
        for rule in text.split("\n### ").skip(1) {
            let title = rule.lines().next().unwrap();
            // The rules of the tests are habits: who writes one keeps them.
            if !is_rule(title.split(':').next().unwrap()) || title.starts_with("tests-") {
                continue;
            }
            let body = rule.split("\n## ").next().unwrap();
            let Some(held) = body.split("Held by").nth(1) else {
                missing.push(format!("{name}: {title}: no `Held by`"));
                continue;
            };
            let paths = held.split('`').skip(1).step_by(2).filter(|path| path.contains('/'));
            for path in paths {
                let file = path.split("::").next().unwrap();
                if !root().join(file).exists() && !readme.parent().unwrap().join(file).exists() {
                    missing.push(format!("{name}: {title}: {path} is not there"));
                }
            }
        }
    }
    assert!(missing.is_empty(), "rules without a test:\n{}", missing.join("\n"));
}
