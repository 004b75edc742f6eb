//! What was tried on a delivery so far; it travels in the message's headers.

use chrono::{DateTime, Utc};

/// The attempts that failed before this one.
///
/// Refusals and outages are counted apart: only refusals end an event, since an outage's end
/// behind a proxy that answers 404 for a minute must not kill the whole backlog (rule retry-1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// Attempts that were refused: not found, forbidden, malformed, wrong church.
    pub refusals: u32,
    /// Attempts that met an outage: unreachable, 5xx, 429, login refused.
    pub outages: u32,
    /// When the first of them failed; `RETRY_OUTAGE_AGE` counts from here.
    pub first_failed_at: Option<DateTime<Utc>>,
    /// Since when it is deferred for an outage that others met, with no attempt of its own since.
    pub deferred_since: Option<DateTime<Utc>>,
    /// How often an operator has replayed it.
    pub replays: u32,
    /// How often in a row it was deferred because its campus's core had no room for it, or was known
    /// to be away. No attempt was made then, and none is counted.
    pub deferrals: u32,
    /// Deliveries in a row that came to no end at all: whoever had it crashed, or lost its
    /// connection. One among many that were held at such moments may be the reason for them.
    pub crashes: u32,
}

impl History {
    /// Attempts that failed so far.
    pub fn failed_attempts(&self) -> u32 {
        self.refusals.saturating_add(self.outages)
    }

    /// Whether nothing was tried yet, nor anything replayed or deferred: only such a delete may
    /// archive without asking the core.
    pub fn is_first_attempt(&self) -> bool {
        self.failed_attempts() == 0 && self.replays == 0 && self.deferrals == 0
    }
}

#[cfg(test)]
mod tests {
    use super::History;

    #[test]
    fn only_what_was_neither_tried_nor_replayed_nor_deferred_is_a_first_attempt() {
        let none = History::default();
        assert!(none.is_first_attempt());
        // Lost connections are no attempts.
        assert!(History { crashes: 3, ..none.clone() }.is_first_attempt());
        for later in [
            History { refusals: 1, ..none.clone() },
            History { outages: 1, ..none.clone() },
            History { replays: 1, ..none.clone() },
            History { deferrals: 1, ..none.clone() },
        ] {
            assert!(!later.is_first_attempt(), "{later:?}");
        }
        let both = History { refusals: 2, outages: 3, ..none };
        assert_eq!(both.failed_attempts(), 5);
    }
}
