//! How far the work queue is taken: every event in it was received later than this.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Utc};

/// A moment that only moves forward, in milliseconds since the epoch; 0: not known yet.
#[derive(Debug, Default)]
pub struct TakenUntil(AtomicI64);

impl TakenUntil {
    /// What was received up to then does not wait any more. A moment of a clock that is ahead counts as now: it would
    /// hide what comes next.
    pub fn pass(&self, received_at: DateTime<Utc>) {
        self.0.fetch_max(received_at.min(Utc::now()).timestamp_millis(), Ordering::Relaxed);
    }

    /// The moment; none: not known yet.
    pub fn get(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.0.load(Ordering::Relaxed))
            .filter(|at| at.timestamp() > 0)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn it_moves_forward_only_and_never_beyond_now() {
        let (mark, now) = (TakenUntil::default(), Utc::now());
        assert_eq!(mark.get(), None);
        mark.pass(now - TimeDelta::seconds(5));
        mark.pass(now - TimeDelta::seconds(9));
        assert_eq!(
            mark.get().unwrap().timestamp_millis(),
            (now - TimeDelta::seconds(5)).timestamp_millis()
        );
        mark.pass(now + TimeDelta::hours(1));
        assert!(mark.get().unwrap() <= Utc::now());
    }
}
