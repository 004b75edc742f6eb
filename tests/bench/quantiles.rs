//! Samples of a duration, and how they are told.

use std::{fmt, time::Duration};

/// Durations, sorted when they are told.
#[derive(Debug, Default, Clone)]
pub(crate) struct Samples(Vec<Duration>);

impl Samples {
    pub(crate) fn add(&mut self, sample: Duration) {
        self.0.push(sample);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The sample that `share` of all are not above; zero where there is none.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an index of at most some millions"
        )]
        let index = ((sorted.len() as f64 * share).ceil() as usize).saturating_sub(1);
        sorted.get(index).copied().unwrap_or_default()
    }
}

/// `p50 4.1 ms  p90 5.0 ms  p99 7.9 ms  max 12.3 ms`
impl fmt::Display for Samples {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)] {
            let milliseconds = self.quantile(share).as_secs_f64() * 1000.0;
            write!(formatter, "{name} {milliseconds:7.2} ms   ")?;
        }
        Ok(())
    }
}

#[test]
fn quantiles_are_samples() {
    let mut samples = Samples::default();
    (1..=100).rev().for_each(|number| samples.add(Duration::from_millis(number)));
    assert_eq!(samples.quantile(0.5), Duration::from_millis(50));
    assert_eq!(samples.quantile(0.99), Duration::from_millis(99));
    assert_eq!(samples.quantile(1.0), Duration::from_millis(100));
    assert_eq!(Samples::default().quantile(0.5), Duration::ZERO);
}
