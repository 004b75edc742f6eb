//! A thin line: all answers of a core together come over it, so many bytes a second.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How late the next piece may come without a loss.
const LATE: Duration = Duration::from_millis(200);

/// The line, free again at some moment.
#[derive(Debug, Default)]
pub(super) struct Line(Mutex<Option<Instant>>);

impl Line {
    /// When so many bytes are through, at `bytes_per_second`, behind whatever is on the line already.
    pub(super) fn carry(&self, bytes: usize, bytes_per_second: u64) -> Instant {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        // Whoever is late to put something on it has lost no more than that: a busy machine is no thinner line.
        let begin = free.map_or(now, |free| free.max(now - LATE));
        let nanos = bytes as u128 * 1_000_000_000 / u128::from(bytes_per_second.max(1));
        let through = begin + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        *free = Some(through);
        through
    }
}
