//! How far the worker is behind: the age of the event that it took last, and, while events wait that
//! nobody takes, for how long. A worker that stands still would otherwise look like one at rest.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use instances::TakenUntil;
use queue::{QueueWatch, WORK};
use runtime::metrics::observe;

/// When the worker took what. Times are in milliseconds since the epoch; 0: nothing yet.
#[derive(Debug, Default)]
pub(crate) struct LastTaken {
    taken: AtomicI64,
    /// When the gateway had received it.
    received: AtomicI64,
    /// When the last event was taken that nothing had been tried on before.
    taken_fresh: AtomicI64,
    /// How far the queue is taken, for whoever sees it when no worker runs.
    pub(crate) taken_until: Arc<TakenUntil>,
}

impl LastTaken {
    /// An event was taken. One that comes out of a delay is as old as its history: that is not how
    /// far the worker is behind.
    pub(crate) fn take(&self, received_at: DateTime<Utc>, is_first_attempt: bool) {
        let now = Utc::now().timestamp_millis();
        self.taken.store(now, Ordering::Relaxed);
        if is_first_attempt {
            self.received.store(received_at.timestamp_millis(), Ordering::Relaxed);
            self.taken_fresh.store(now, Ordering::Relaxed);
            self.taken_until.pass(received_at);
        }
    }

    fn taken_at(&self) -> Option<i64> {
        Some(self.taken.load(Ordering::Relaxed)).filter(|at| *at > 0)
    }

    /// How old the event was that was taken last, without those that come out of a delay; in seconds.
    pub(crate) fn age(&self) -> Option<f64> {
        let taken = Some(self.taken_fresh.load(Ordering::Relaxed)).filter(|at| *at > 0)?;
        Some(seconds(taken - self.received.load(Ordering::Relaxed)))
    }
}

/// Shows all of it, whenever the metrics are asked for.
pub(crate) fn observe_backlog(last: &Arc<LastTaken>, queues: &QueueWatch) {
    let read = Arc::clone(last);
    observe(
        "worker_last_taken_event_age_seconds",
        "How old the last event was when it was taken, of those that nothing was tried on before",
        move || read.age(),
    );
    let read = Arc::clone(last);
    observe(
        "worker_last_taken_timestamp_seconds",
        "When the worker last took an event, since the epoch",
        move || read.taken_at().map(seconds),
    );
    let (read, queues) = (Arc::clone(last), queues.clone());
    observe(
        "worker_backlog_untaken_seconds",
        "While events wait: how long ago this worker took one, or found them waiting; else 0",
        move || {
            let (waiting, since) = queues.backlog(WORK)?;
            let taken = read.taken_at().map(|at| Utc::now().timestamp_millis() - at);
            Some(untaken(waiting, since.map(|since| since.elapsed()), taken.map(seconds)))
        },
    );
}

/// Whichever is shorter: for how long events have been waiting, or nothing has been taken.
fn untaken(waiting: u32, since: Option<Duration>, taken: Option<f64>) -> f64 {
    if waiting == 0 {
        return 0.0;
    }
    let waited = since.unwrap_or_default().as_secs_f64();
    taken.map_or(waited, |taken| waited.min(taken))
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of centuries fit an f64")]
fn seconds(milliseconds: i64) -> f64 {
    milliseconds.max(0) as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_that_nobody_takes_grows_old() {
        let waited = Some(Duration::from_mins(1));
        assert!((untaken(5, waited, None) - 60.0).abs() < 1e-9);
        assert!((untaken(5, waited, Some(2.0)) - 2.0).abs() < 1e-9, "it takes what comes");
        assert!((untaken(5, waited, Some(900.0)) - 60.0).abs() < 1e-9, "it was at rest before");
        assert!(untaken(0, None, Some(900.0)).abs() < 1e-9, "nothing waits");
    }

    #[test]
    fn what_comes_out_of_a_delay_does_not_make_the_worker_late() {
        let (last, now) = (LastTaken::default(), Utc::now());
        assert!(last.age().is_none() && last.taken_at().is_none());
        last.take(now - chrono::TimeDelta::seconds(2), true);
        last.take(now - chrono::TimeDelta::hours(2), false);
        assert!(last.age().is_some_and(|age| (2.0..60.0).contains(&age)));
    }
}
