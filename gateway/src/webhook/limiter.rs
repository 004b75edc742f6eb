//! How many a second there may be: events of a campus, or what is told of refusals.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use campus::RateLimit;

/// Counts for each key, by the generic cell rate algorithm: a token bucket that is kept as one
/// moment and needs no refilling. The limit comes with each question, so a change of it is in force
/// at once. Each gateway counts for itself. Keys are never forgotten: they are of a closed set.
pub(crate) struct Limiter<Key> {
    /// The bucket's size: so much time's worth may come at once.
    burst: Duration,
    /// When each key's bucket is full again.
    full_at: Mutex<HashMap<Key, Instant>>,
}

impl<Key: Hash + Eq> Limiter<Key> {
    /// A limiter whose buckets hold `burst`'s worth.
    pub(crate) fn new(burst: Duration) -> Self {
        Self { burst, full_at: Mutex::default() }
    }

    /// Takes a token of the key at `now`; the error says how long until there is one.
    pub(crate) fn take(&self, key: Key, limit: RateLimit, now: Instant) -> Result<(), Duration> {
        let token = Duration::from_secs(1) / limit.get();
        let mut buckets = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = buckets.entry(key).or_insert(now);
        let filled = (*full_at).max(now) + token;
        // No bucket is ever emptier than empty: after a burst's time any limit starts afresh.
        let missing = filled.duration_since(now).saturating_sub(self.burst);
        if missing.is_zero() {
            *full_at = filled;
            Ok(())
        } else {
            Err(missing)
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn limit(events: u32) -> RateLimit {
        RateLimit::new(events).unwrap()
    }

    fn taken(limiter: &Limiter<Uuid>, campus: Uuid, events: u32, now: Instant) -> usize {
        (0..1000).filter(|_| limiter.take(campus, limit(events), now).is_ok()).count()
    }

    #[test]
    fn a_second_holds_exactly_the_limit() {
        let (limiter, campus, start) = (Limiter::new(SECOND), Uuid::new_v4(), Instant::now());
        for second in 0..3 {
            let now = start + Duration::from_secs(second);
            assert_eq!(taken(&limiter, campus, 5, now), 5);
        }
        let half = start + Duration::from_millis(2400);
        assert_eq!(taken(&limiter, campus, 5, half), 2);
    }

    #[test]
    fn the_wait_is_until_the_next_token() {
        let (limiter, campus, now) = (Limiter::new(SECOND), Uuid::new_v4(), Instant::now());
        taken(&limiter, campus, 4, now);
        let wait = limiter.take(campus, limit(4), now).unwrap_err();
        assert_eq!(wait, Duration::from_millis(250));
        assert!(limiter.take(campus, limit(4), now + wait).is_ok());
    }

    #[test]
    fn campuses_do_not_share() {
        let (limiter, now) = (Limiter::new(SECOND), Instant::now());
        assert_eq!(taken(&limiter, Uuid::new_v4(), 3, now), 3);
        assert_eq!(taken(&limiter, Uuid::new_v4(), 3, now), 3);
    }

    #[test]
    fn a_longer_burst_lets_more_come_at_once_and_no_more_in_the_long_run() {
        let (limiter, campus, now) = (Limiter::new(30 * SECOND), Uuid::new_v4(), Instant::now());
        assert_eq!(taken(&limiter, campus, 1, now), 30);
        assert_eq!(taken(&limiter, campus, 1, now + 10 * SECOND), 10);
    }

    #[test]
    fn a_changed_limit_is_in_force_at_once() {
        let (limiter, campus, now) = (Limiter::new(SECOND), Uuid::new_v4(), Instant::now());
        assert_eq!(taken(&limiter, campus, 1, now), 1);
        let later = now + Duration::from_millis(500);
        assert_eq!(taken(&limiter, campus, 100, later), 50);
        let much_later = later + Duration::from_secs(1);
        assert_eq!(taken(&limiter, campus, 1, much_later), 1);
    }
}
