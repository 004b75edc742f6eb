//! Not more letters a second than an operator wants.

use std::time::Duration;

use tokio::time::Instant;

/// Letters a transaction, at most.
const LARGEST_BATCH: u32 = 100;
/// More than any broker takes.
const HIGHEST_RATE: u32 = 1_000_000;

/// Reads `200/s`.
pub(super) fn parse_rate(value: &str) -> Result<u32, String> {
    value
        .strip_suffix("/s")
        .and_then(|number| number.parse().ok())
        .filter(|rate| (1..=HIGHEST_RATE).contains(rate))
        .ok_or_else(|| format!("expected letters a second from 1/s to {HIGHEST_RATE}/s"))
}

/// How fast a run goes.
pub(super) struct Pace {
    rate: Option<u32>,
    began: Instant,
    done: u32,
}

impl Pace {
    /// As fast as it goes, where there is no `rate`.
    pub(super) fn new(rate: Option<u32>) -> Self {
        Self { rate, began: Instant::now(), done: 0 }
    }

    /// Letters in one transaction: few where the rate is low, so that they do not come in bursts.
    pub(super) fn batch(&self) -> usize {
        let batch = self.rate.map_or(LARGEST_BATCH, |rate| (rate / 10).clamp(1, LARGEST_BATCH));
        usize::try_from(batch).unwrap_or(1)
    }

    /// Waits until the next batch may begin, after one of `number`.
    pub(super) async fn keep(&mut self, number: usize) {
        let Some(rate) = self.rate else { return };
        self.done = self.done.saturating_add(u32::try_from(number).unwrap_or(u32::MAX));
        let due = Duration::from_secs(1) * self.done / rate;
        tokio::time::sleep_until(self.began + due).await;
    }
}

#[cfg(test)]
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
}
