//! No command stands in a document that nobody ever typed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::blocks::{Mark, blocks, page};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// README.md, CONTRIBUTING.md and everything in `deploy/`, by their paths in the repository.
fn pages() -> Vec<String> {
    let mut pages = vec!["README.md".to_owned(), "CONTRIBUTING.md".to_owned()];
    let mut folders = vec![repository().join("deploy")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                let within = path.strip_prefix(repository()).unwrap();
                pages.push(within.to_str().unwrap().to_owned());
            }
        }
    }
    pages
}

/// The sources of the walks.
fn walks() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("documents");
    let files = fs::read_dir(folder).unwrap().flatten();
    files.map(|file| fs::read_to_string(file.path()).unwrap()).collect()
}

#[test]
fn every_block_of_commands_is_run_or_says_why_not() {
    let walks = walks();
    let mut faults = Vec::new();
    for path in pages() {
        let is_walked = walks.contains(&format!("Walk::of(\"{path}\")"));
        for block in blocks(&page(&path)) {
            let place = format!("{path}:{}", block.line);
            match block.mark {
                None if is_walked => {}
                None => faults.push(format!("{place}: no test runs it, and nothing says why")),
                Some(Mark::NotRun(why)) if why.len() > 10 => {}
                Some(Mark::NotRun(_)) => faults.push(format!("{place}: no reason")),
                Some(Mark::RunBy(file)) if repository().join(&file).is_file() => {}
                Some(Mark::RunBy(file)) => faults.push(format!("{place}: there is no {file}")),
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn every_runbook_is_walked() {
    let walks = walks();
    for path in pages().iter().filter(|path| path.starts_with("deploy/runbooks/")) {
        let is_index = path.ends_with("README.md");
        assert!(is_index || walks.contains(&format!("Walk::of(\"{path}\")")), "{path}");
    }
}
