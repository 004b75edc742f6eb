//! Samples of a duration, and how they are told.

use std::{fmt, time::Duration};

/// Durations, in the order in which they were measured.
#[derive(Debug, Default, Clone)]
pub(crate) struct Samples(Vec<Duration>);

impl Samples {
    pub(crate) fn add(&mut self, sample: Duration) {
        self.0.push(sample);
    }

    pub(crate) fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The samples that the shares of all are not above; zeros where there is none.
    pub(crate) fn quantiles<const N: usize>(&self, shares: [f64; N]) -> [Duration; N] {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        shares.map(|share| {
            #[allow(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "an index of at most some millions"
            )]
            let index = ((sorted.len() as f64 * share).ceil() as usize).saturating_sub(1);
            sorted.get(index).copied().unwrap_or_default()
        })
    }
}

impl Extend<Duration> for Samples {
    fn extend<I: IntoIterator<Item = Duration>>(&mut self, samples: I) {
        self.0.extend(samples);
    }
}

/// A duration in milliseconds, as benches tell it.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// `p50 4.1 ms  p90 5.0 ms  p99 7.9 ms  max 12.3 ms`
impl fmt::Display for Samples {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quantiles = self.quantiles([0.5, 0.9, 0.99, 1.0]);
        for (name, quantile) in ["p50", "p90", "p99", "max"].into_iter().zip(quantiles) {
            write!(formatter, "{name} {:7.2} ms   ", milliseconds(quantile))?;
        }
        Ok(())
    }
}

#[test]
fn quantiles_are_samples() {
    let mut samples = Samples::default();
    (1..=100).rev().for_each(|number| samples.add(Duration::from_millis(number)));
    let [median, high, highest] = samples.quantiles([0.5, 0.99, 1.0]).map(|it| it.as_millis());
    assert_eq!((median, high, highest), (50, 99, 100));
    assert_eq!(Samples::default().quantiles([0.5]), [Duration::ZERO]);
}
