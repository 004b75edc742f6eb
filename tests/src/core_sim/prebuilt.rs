//! Rows rendered ahead.

use super::generator::Generator;

/// The generated rows of a church as JSON, one behind the other.
#[derive(Debug)]
pub(super) struct Prebuilt {
    bytes: Vec<u8>,
    /// Where each row ends.
    ends: Vec<usize>,
}

impl Prebuilt {
    /// Renders the first `rows`.
    pub(super) fn of(generator: &Generator, rows: u64) -> Self {
        // Not grown step by step: that would take twice the memory for a moment.
        let mut bytes = Vec::with_capacity(usize::try_from(rows).unwrap_or(0) * 2048);
        let ends = (0..rows)
            .map(|row| {
                generator.member(row).append_to(&mut bytes);
                bytes.len()
            })
            .collect();
        Self { bytes, ends }
    }

    /// A row; none where it was not among the first.
    pub(super) fn row(&self, row: u64) -> Option<&[u8]> {
        let row = usize::try_from(row).ok()?;
        let end = *self.ends.get(row)?;
        let begin = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.bytes.get(begin..end)
    }
}
