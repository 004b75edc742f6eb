//! How often somebody may ask within a minute.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

const WINDOW: Duration = Duration::from_mins(1);

/// More than any installation has of sessions and addresses at once; beyond it the oldest are forgotten.
const MOST_KEPT: usize = 10_000;

/// Counts by key.
#[derive(Debug)]
pub(crate) struct MinuteLimit<K> {
    most: u32,
    counts: Mutex<HashMap<K, (Instant, u32)>>,
}

impl<K: Eq + Hash> MinuteLimit<K> {
    pub(crate) fn new(most: u32) -> Self {
        Self { most, counts: Mutex::default() }
    }

    /// Counts one; whether it is within the limit.
    pub(crate) fn admit(&self, key: K) -> bool {
        self.admit_at(key, Instant::now())
    }

    fn admit_at(&self, key: K, now: Instant) -> bool {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MOST_KEPT && !counts.contains_key(&key) {
            counts.retain(|_, (begun, _)| now.duration_since(*begun) < WINDOW);
            if counts.len() >= MOST_KEPT {
                counts.clear();
            }
        }
        let (begun, count) = counts.entry(key).or_insert((now, 0));
        if now.duration_since(*begun) >= WINDOW {
            (*begun, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count <= self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_so_many_and_the_next_again() {
        let (limit, now) = (MinuteLimit::new(2), Instant::now());
        assert!(limit.admit_at("a", now) && limit.admit_at("a", now));
        assert!(!limit.admit_at("a", now) && limit.admit_at("b", now));
        assert!(limit.admit_at("a", now + WINDOW));
    }
}
