//! Not more a second than an operator wants.

use std::time::Duration;

use tokio::time::Instant;

/// Letters a transaction, at most.
const LARGEST_BATCH: u32 = 100;
/// More than any broker takes.
const HIGHEST_RATE: u32 = 1_000_000;
/// How far behind its rate an operation may be and still make up for it (rule operations-2).
const MADE_UP_FOR: Duration = Duration::from_millis(500);

/// Reads `200/s`.
///
/// # Errors
///
/// What is expected.
pub fn parse_rate(value: &str) -> Result<u32, String> {
    value
        .strip_suffix("/s")
        .and_then(|number| number.parse().ok())
        .filter(|rate| (1..=HIGHEST_RATE).contains(rate))
        .ok_or_else(|| format!("expected a number a second, from 1/s to {HIGHEST_RATE}/s"))
}

/// From when what was done long ago counts no more.
const COUNTED_FOR: Duration = Duration::from_mins(1);

/// How fast an operation goes.
#[derive(Debug)]
pub struct Pace {
    rate: Option<u32>,
    /// From here on `done` are counted.
    began: Instant,
    done: u32,
}

impl Pace {
    /// As fast as it goes, where there is no `rate`.
    pub fn new(rate: Option<u32>) -> Self {
        Self { rate, began: Instant::now(), done: 0 }
    }

    /// Another rate, from now on.
    pub fn set_rate(&mut self, rate: Option<u32>) {
        if rate != self.rate {
            *self = Self::new(rate);
        }
    }

    /// How many in one transaction: few where the rate is low, so that they do not come in bursts, and more where transactions
    /// take longer than a tenth of a second.
    pub fn batch(&self) -> usize {
        let Some(rate) = self.rate else { return usize::try_from(LARGEST_BATCH).unwrap_or(1) };
        let due = self.began.elapsed().as_millis() * u128::from(rate);
        let behind = (due / 1000).saturating_sub(u128::from(self.done));
        let batch = behind.max(u128::from(rate / 10)).clamp(1, u128::from(LARGEST_BATCH));
        usize::try_from(batch).unwrap_or(1)
    }

    /// So many more are done.
    pub fn did(&mut self, number: usize) {
        self.done = self.done.saturating_add(u32::try_from(number).unwrap_or(u32::MAX));
        let now = Instant::now();
        let is_long = now.duration_since(self.began) > COUNTED_FOR;
        if self.due() + MADE_UP_FOR < now || is_long && self.due() <= now {
            (self.began, self.done) = (now, 0);
        }
    }

    /// When the next batch may begin.
    pub fn due(&self) -> Instant {
        self.began
            + self.rate.map_or(Duration::ZERO, |rate| Duration::from_secs(1) * self.done / rate)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use super::*;

    #[test]
    fn rates_are_a_second() {
        assert_eq!(parse_rate("200/s"), Ok(200));
        for wrong in ["", "200", "0/s", "-1/s", "5/m", "1000001/s"] {
            assert!(parse_rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_low_rate_has_small_batches() {
        assert_eq!(
            [Some(1), Some(50), Some(5_000), None].map(|r| Pace::new(r).batch()),
            [1, 5, 100, 100]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_held_up_goes_on_at_the_rate() {
        let mut pace = Pace::new(Some(10));
        let began = Instant::now();
        pace.did(10);
        assert_eq!(pace.due() - began, Duration::from_secs(1));
        tokio::time::advance(Duration::from_mins(1)).await;
        pace.did(1);
        let resumed = Instant::now();
        pace.did(10);
        assert_eq!(pace.due() - resumed, Duration::from_secs(1));
        pace.set_rate(Some(100));
        pace.did(10);
        assert_eq!(pace.due() - resumed, Duration::from_millis(100));
        tokio::time::advance(Duration::from_millis(300)).await;
        assert_eq!(pace.batch(), 20, "what 200 ms too much made it miss");
        pace.set_rate(None);
        pace.did(1_000);
        assert!(pace.due() <= Instant::now());
    }
}
