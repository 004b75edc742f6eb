//! `faithctl` as an operator and a script use it: what it prints, how it exits, what it changes.

mod audit;
mod campus;
mod checks;
mod connection;
mod deliveries;
mod erase;
mod filter;
mod health;
mod lost_deliveries;
mod manual;
mod migrate;
mod names;
mod operators;
mod output;
mod probe;
mod programs;
mod rights;
mod secrets;
mod send_test;
mod settings;
mod terminal;

use std::collections::BTreeMap;

use harness::{Finished, Role, TestSystem};
use support::program::run_to_end;

/// A campus, a database and a core, without gateway and worker: most commands need no more.
async fn campus_alone() -> TestSystem {
    TestSystem::builder().gateways(0).workers(0).spawn().await
}

/// Runs `faithctl` with some variables changed.
async fn faithctl_with(
    system: &TestSystem,
    arguments: &[&str],
    changes: &[(&str, &str)],
) -> Finished {
    let mut variables: BTreeMap<String, String> = system.variables(Role::Admin).clone();
    variables.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    run_to_end("faithctl", arguments, b"", variables).await.unwrap()
}

/// Fails unless the command ended with `code`, having written `words` on stderr.
#[track_caller]
fn assert_failed(finished: &Finished, code: i32, words: &str) {
    assert_eq!(finished.code, Some(code), "{finished:?}");
    assert!(finished.stderr.contains(words), "{words:?} is not said: {finished:?}");
}
