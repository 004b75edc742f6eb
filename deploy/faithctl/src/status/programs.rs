//! The programs that run, for people.

use serde_json::Value;
use status::{InstanceRecord, age, counted};

use crate::output::{Column, Format, table};

/// A row for each program: since when it runs, whether it is ready, and what it has in hand.
pub(super) fn rows(programs: &[&InstanceRecord], format: Format) -> String {
    let columns = [
        Column::new("program", |program: &&InstanceRecord| program.program.clone()),
        Column::under("program", "version", |program| program.version.clone()),
        Column::new("host", |program| program.host.clone()),
        Column::new("since", |program| age(program.started_at)),
        Column::new("state", |program| state(program)),
        Column::new("in hand", |program| in_hand(program)),
    ];
    table(programs, &columns, format.width())
}

/// `ready`, `not ready: postgres, rabbitmq`, `silent for 34s`
fn state(program: &InstanceRecord) -> String {
    if program.silent {
        return format!("silent for {}", age(program.seen_at));
    }
    if program.state["ready"] == true {
        return "ready".to_owned();
    }
    let checks = program.state["reasons"].as_object().into_iter().flatten();
    let checks: Vec<&str> = checks.map(|(check, _)| check.as_str()).collect();
    format!("not ready: {}", checks.join(", "))
}

/// What each kind of program has to tell; an older version may tell less.
fn in_hand(program: &InstanceRecord) -> String {
    let state = &program.state;
    let number = |name: &str| state[name].as_u64();
    let sum = |name: &str| {
        let counts = state[name].as_object()?;
        Some(counts.values().filter_map(Value::as_u64).sum::<u64>())
    };
    let length = |name: &str| Some(state[name].as_object()?.len() as u64);
    let mut told = Vec::new();
    told.extend(number("accepted").map(|accepted| format!("{accepted} accepted")));
    told.extend(sum("refused").map(|refused| format!("{refused} refused")));
    told.extend(number("held").map(|held| format!("{held} held")));
    told.extend(number("taken").map(|taken| format!("{taken} taken")));
    let of = |number: Option<u64>, one: &str, many: &str| {
        let number = i64::try_from(number?).ok().filter(|number| *number > 0)?;
        Some(counted(number, one, many))
    };
    told.extend(of(sum("requests_under_way"), "request under way", "requests under way"));
    told.extend(of(length("breakers"), "breaker open", "breakers open"));
    told.extend(of(length("runs"), "run under way", "runs under way"));
    if told.is_empty() { "-".to_owned() } else { told.join(", ") }
}
