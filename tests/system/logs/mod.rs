//! What the programs write, as whoever searches it sees it.

mod outages;
mod outcomes;
mod secrecy;
mod unread;

use std::time::Duration;

use harness::eventually;
use serde_json::Value;
use support::program::Program;

const SOON: Duration = Duration::from_mins(1);

/// All lines of a program's log, each a JSON object.
fn lines(program: &Program) -> Vec<Value> {
    let log = std::fs::read_to_string(program.log()).unwrap();
    log.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect()
}

/// The first line of which this holds, waited for.
async fn line(program: &Program, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    eventually(what, SOON, async || lines(program).into_iter().find(|line| is_it(line))).await
}
