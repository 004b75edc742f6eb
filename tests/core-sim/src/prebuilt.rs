//! Rows rendered ahead.

use std::ops::Range;

use bytes::Bytes;

use super::generator::Generator;

/// The generated rows of a church as JSON, one behind the other with a comma between.
#[derive(Debug)]
pub(super) struct Prebuilt {
    bytes: Bytes,
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
                if row > 0 {
                    bytes.push(b',');
                }
                generator.member(row).append_to(&mut bytes);
                bytes.len()
            })
            .collect();
        Self { bytes: bytes.into(), ends }
    }

    /// A row; none where it was not among the first.
    pub(super) fn row(&self, row: u64) -> Option<Bytes> {
        self.rows(row..row + 1)
    }

    /// Rows with a comma between, without a copy; none where not all of them were among the first.
    pub(super) fn rows(&self, rows: Range<u64>) -> Option<Bytes> {
        let (first, behind) = (usize::try_from(rows.start).ok()?, usize::try_from(rows.end).ok()?);
        if first >= behind {
            return Some(Bytes::new());
        }
        let end = *self.ends.get(behind - 1)?;
        let begin = first.checked_sub(1).map_or(0, |before| self.ends[before] + 1);
        Some(self.bytes.slice(begin..end))
    }
}
