//! A message: its JSON, and the same in words.
//!
//! ```json
//! {"type": "problems.changed", "timestamp": "2026-11-20T01:40:00Z",
//!  "data": {"opened": [{"kind": "no_worker", "campus_id": null, "summary": "…", "advice": "…",
//!                       "stops_events": false, "since": "…", "until": null}],
//!           "closed": [], "open": 1}}
//! ```

use std::fmt::Write;

use serde_json::{Value, json};

/// Lines of a mail for what opened, and for what is gone: a mail is read on a phone.
const MOST_LINES: usize = 30;

/// The type of messages about what has changed.
const PROBLEMS_CHANGED: &str = "problems.changed";

/// A message about what has changed: `opened`, `closed`, and how many are `open` now. `timestamp` is in RFC 3339.
pub fn problems_changed(timestamp: &str, changes: &Value) -> Value {
    json!({ "type": PROBLEMS_CHANGED, "timestamp": timestamp, "data": changes })
}

/// A message that tells of nothing. `timestamp` is in RFC 3339.
pub fn test_message(timestamp: &str) -> Value {
    json!({
        "type": "notification.test",
        "timestamp": timestamp,
        "data": { "summary": "A test: notifications of the member sync come here." },
    })
}

/// The same in words: a subject, and the text of a mail.
pub fn words(message: &Value) -> (String, String) {
    let data = &message["data"];
    if message["type"] != PROBLEMS_CHANGED {
        let text = data["summary"].as_str().unwrap_or_default();
        return ("[FaithTracker sync] a test".to_owned(), format!("{text}\n"));
    }
    let list = |key: &str| data[key].as_array().cloned().unwrap_or_default();
    let (opened, closed) = (list("opened"), list("closed"));
    let mut text = String::new();
    section(&mut text, "Worth a look", &opened, |problem| {
        format!(
            "! {}\n  -> {}\n  since {}",
            field(problem, "summary"),
            field(problem, "advice"),
            moment(problem, "since")
        )
    });
    section(&mut text, "Over", &closed, |problem| {
        format!(
            "- {}\n  from {} to {}",
            field(problem, "summary"),
            moment(problem, "since"),
            moment(problem, "until")
        )
    });
    let open = data["open"].as_i64().unwrap_or_default();
    let open = if open == 0 {
        "Nothing is worth a look any more.".to_owned()
    } else {
        format!("Now worth a look, in all: {open}. faithctl status")
    };
    text.push_str(&open);
    text.push('\n');
    (subject(&opened, &closed), text)
}

/// The worst first, since a phone shows little of it.
fn subject(opened: &[Value], closed: &[Value]) -> String {
    let (first, rest, sign) = match (opened.split_first(), closed.split_first()) {
        (Some((first, rest)), _) => (first, rest.len() + closed.len(), ""),
        (None, Some((first, rest))) => (first, rest.len(), "over: "),
        (None, None) => return "[FaithTracker sync] nothing".to_owned(),
    };
    // One line, whatever is in it.
    let summary: String = field(first, "summary")
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .take(120)
        .collect();
    let more = if rest == 0 { String::new() } else { format!(" (and {rest} more)") };
    format!("[FaithTracker sync] {sign}{summary}{more}")
}

fn section(text: &mut String, title: &str, problems: &[Value], line: impl Fn(&Value) -> String) {
    if problems.is_empty() {
        return;
    }
    // Writing into memory has no way to fail.
    writeln!(text, "{title}").ok();
    for problem in problems.iter().take(MOST_LINES) {
        writeln!(text, "{}", line(problem)).ok();
    }
    if problems.len() > MOST_LINES {
        writeln!(text, "… and {} more", problems.len() - MOST_LINES).ok();
    }
    text.push('\n');
}

fn field<'a>(problem: &'a Value, key: &str) -> &'a str {
    problem[key].as_str().unwrap_or("-")
}

/// Without the parts of a second.
fn moment(problem: &Value, key: &str) -> String {
    let text = field(problem, key);
    text.split_once('.').map_or_else(|| text.to_owned(), |(seconds, _)| format!("{seconds}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(summary: &str) -> Value {
        json!({ "summary": summary, "advice": "do this", "since": "2026-11-20T01:40:00.25Z", "until": null })
    }

    #[test]
    fn a_message_in_words_begins_with_the_worst() {
        let message = json!({
            "type": PROBLEMS_CHANGED,
            "data": { "opened": [problem("no worker consumes events"), problem("2 letters")],
                      "closed": [problem("GKBJ: paused")], "open": 2 },
        });
        let (subject, text) = words(&message);
        assert_eq!(subject, "[FaithTracker sync] no worker consumes events (and 2 more)");
        assert_eq!(
            text,
            "Worth a look\n! no worker consumes events\n  -> do this\n  since 2026-11-20T01:40:00Z\n\
             ! 2 letters\n  -> do this\n  since 2026-11-20T01:40:00Z\n\n\
             Over\n- GKBJ: paused\n  from 2026-11-20T01:40:00Z to -\n\n\
             Now worth a look, in all: 2. faithctl status\n"
        );
    }

    #[test]
    fn a_subject_is_one_line() {
        let message = json!({
            "type": PROBLEMS_CHANGED,
            "data": { "opened": [], "closed": [problem("a\r\nBcc: b")], "open": 0 },
        });
        assert_eq!(words(&message).0, "[FaithTracker sync] over: a  Bcc: b");
    }

    #[test]
    fn a_test_says_that_it_is_one() {
        let (subject, text) = words(&test_message("2026-11-20T01:40:00Z"));
        assert_eq!(subject, "[FaithTracker sync] a test");
        assert_eq!(text, "A test: notifications of the member sync come here.\n");
    }
}
