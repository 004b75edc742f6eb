//! Operations in words.

use chrono::Utc;
use indicatif::HumanCount;
use serde_json::Value;
use store::{OperationState, operations::LetterEnds, records::OperationRecord};

/// `cause core_unavailable, campus_id 0195…`, or which letters.
pub(super) fn about(operation: &OperationRecord) -> String {
    let mut words = Vec::new();
    if let Some(ids) = &operation.ids {
        words.push(match ids.as_slice() {
            [one] => format!("letter {one}"),
            ids => format!("{} letters by their ids", ids.len()),
        });
    }
    let filters = operation.filters.as_ref().and_then(Value::as_object);
    words.extend(filters.into_iter().flatten().map(|(name, value)| match value {
        Value::String(text) => format!("{name} {text}"),
        Value::Array(values) if values.len() > 3 => format!("{} {name}", values.len()),
        value => format!("{name} {value}"),
    }));
    if let Some(limit) = operation.limit_n {
        words.push(format!("at most {limit}"));
    }
    if words.is_empty() { "all".to_owned() } else { words.join(", ") }
}

/// `1,200 of 3,000`.
pub(super) fn progress(operation: &OperationRecord) -> String {
    let done = HumanCount(operation.done.unsigned_abs());
    match operation.matched {
        Some(matched) => format!("{done} of {}", HumanCount(matched.unsigned_abs())),
        None => done.to_string(),
    }
}

/// How long it will last still, where that can be told.
pub(super) fn time_left(operation: &OperationRecord) -> Option<String> {
    let (started, matched) = (operation.started_at?, operation.matched?);
    if operation.state() != Some(OperationState::Running) || operation.done == 0 {
        return None;
    }
    let lasted = Utc::now().signed_duration_since(started);
    let left = (matched - operation.done).max(0);
    let milliseconds = i64::try_from(
        i128::from(lasted.num_milliseconds()) * i128::from(left) / i128::from(operation.done),
    );
    Some(status::rough(chrono::TimeDelta::milliseconds(milliseconds.ok()?)))
}

/// `117 resolved; 3 failed again and are open: member_not_found 2, wrong_church 1`.
pub(crate) fn ends(ends: &LetterEnds) -> String {
    let mut words = vec![format!("{} resolved", ends.resolved)];
    if !ends.open.is_empty() {
        let causes: Vec<String> =
            ends.open.iter().map(|(cause, number)| format!("{cause} {number}")).collect();
        let failed: i64 = ends.open.values().sum();
        words.push(format!("{failed} failed again and are open: {}", causes.join(", ")));
    }
    if ends.discarded > 0 {
        words.push(format!("{} discarded meanwhile", ends.discarded));
    }
    if ends.replaying > 0 {
        words.push(format!(
            "{} still on their way: `faithctl dead-letters list --status replaying`",
            ends.replaying
        ));
    }
    words.join("; ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn ends_are_told_by_cause() {
        let open =
            BTreeMap::from([("member_not_found".to_owned(), 2), ("wrong_church".to_owned(), 1)]);
        let known = LetterEnds { resolved: 117, open, ..LetterEnds::default() };
        assert_eq!(
            ends(&known),
            "117 resolved; 3 failed again and are open: member_not_found 2, wrong_church 1"
        );
        assert!(known.are_all_known() && !known.are_good());
        let waiting = LetterEnds { replaying: 1, ..LetterEnds::default() };
        assert!(!waiting.are_all_known() && !waiting.are_good());
    }
}
