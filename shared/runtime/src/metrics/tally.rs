//! A counter by the values of one label, which its own program can read too: what a program tells of itself in its row of
//! `instances` is what its metrics say.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use opentelemetry::{KeyValue, metrics::Counter};

/// Counts since the start of the program.
pub struct Tally {
    counter: Counter<u64>,
    label: &'static str,
    counts: Vec<(&'static str, AtomicU64)>,
}

impl Tally {
    /// Begins at zero for each of the label's values.
    pub fn begin(
        counter: Counter<u64>,
        label: &'static str,
        values: impl IntoIterator<Item = &'static str>,
    ) -> Self {
        let counts: Vec<(&'static str, AtomicU64)> =
            values.into_iter().map(|value| (value, AtomicU64::new(0))).collect();
        for (value, _) in &counts {
            counter.add(0, &[KeyValue::new(label, *value)]);
        }
        Self { counter, label, counts }
    }

    /// One more of this value.
    pub fn add(&self, value: &'static str) {
        self.counter.add(1, &[KeyValue::new(self.label, value)]);
        if let Some((_, count)) = self.counts.iter().find(|(known, _)| *known == value) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// By value; those that never came are left out.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        let read =
            |(value, count): &(&'static str, AtomicU64)| (*value, count.load(Ordering::Relaxed));
        self.counts.iter().map(read).filter(|(_, count)| *count > 0).collect()
    }

    /// Of all values together.
    pub fn sum(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count.load(Ordering::Relaxed)).sum()
    }
}
