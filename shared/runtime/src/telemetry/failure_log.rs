//! Log lines about something that is tried again and again: bounded, however often it is tried.

use std::time::{Duration, Instant};

/// How often the same reason is logged while it lasts.
const EVERY: Duration = Duration::from_mins(1);
/// Reasons that are remembered: several nodes fail in turn, each for a reason of its own.
const REASONS: usize = 8;

/// The reasons that were logged lately. A reason is worth a warning when it is new, and once a minute while it lasts.
#[derive(Debug, Default)]
pub struct FailureLog {
    logged: Vec<(String, Instant)>,
}

impl FailureLog {
    /// Whether a failure for this reason is worth a warning now; the others are for `debug`.
    pub fn is_worth_a_line(&mut self, reason: &str) -> bool {
        let now = Instant::now();
        self.logged.retain(|(_, at)| now.duration_since(*at) < EVERY);
        if self.logged.iter().any(|(logged, _)| logged == reason) {
            return false;
        }
        if self.logged.len() == REASONS {
            self.logged.remove(0);
        }
        self.logged.push((reason.to_owned(), now));
        true
    }

    /// It works again: the next failure is a new one, whatever its reason.
    pub fn forget(&mut self) {
        self.logged.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_worth_a_line_when_it_is_new() {
        let mut log = FailureLog::default();
        assert!(log.is_worth_a_line("a is unreachable") && log.is_worth_a_line("b is unreachable"));
        assert!(
            !log.is_worth_a_line("a is unreachable") && !log.is_worth_a_line("b is unreachable")
        );
        log.forget();
        assert!(log.is_worth_a_line("a is unreachable"));
    }
}
