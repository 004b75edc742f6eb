//! Postgres as installations have it: several hosts, a pooler before it, read-only, silent, and what
//! is said of whatever it refuses.

mod hosts;
mod poolers;
mod read_only;
mod silent;
mod words;

use std::{collections::BTreeMap, time::Duration};

use harness::{Finished, Role, TestSystem};
use serde_json::Value;
use support::program::run_to_end;

const SOON: Duration = Duration::from_secs(15);

/// Runs `faithctl` with another `DATABASE_URL`.
async fn faithctl_at(system: &TestSystem, url: &str, arguments: &[&str]) -> Finished {
    let mut variables: BTreeMap<String, String> = system.variables(Role::Admin).clone();
    variables.insert("DATABASE_URL".to_owned(), url.to_owned());
    run_to_end("faithctl", arguments, b"", variables).await.unwrap()
}

/// The reasons that `/readyz` gives for one dependency; empty where it is well.
async fn reason(system: &TestSystem, kind: &str, check: &str) -> String {
    let url = format!("{}/readyz", system.admin_url(kind, 0));
    let answer: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    answer["reasons"][check].as_str().unwrap_or_default().to_owned()
}

/// `user:password`, `host:port` and the rest of a URL.
fn parts(url: &str) -> (&str, &str, &str) {
    let (credentials, rest) = url.split_once('@').unwrap();
    let (host, database) = rest.split_once('/').unwrap();
    (credentials.strip_prefix("postgres://").unwrap(), host, database)
}
