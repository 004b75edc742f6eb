//! Whether a list is getting anywhere.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use thiserror::Error;
use tokio::time::Instant;

/// Ids that are kept; of a longer list every second, fourth, … one.
const MOST_KEPT: usize = 4096;
/// Fewer rows that came before are no sign: pages overlap while members change.
const FEW: u64 = 100;
/// So many rows any list may have, …
const ANY_LIST: u64 = 100_000;
/// … and so many times the members that are known, …
const TIMES_KNOWN: u64 = 3;
/// … and for so long it may go on beyond both.
const BEYOND: Duration = Duration::from_mins(1);

/// The course of a list while it is read: what of it came before, and how long it has become.
#[derive(Debug, Default)]
pub struct Course {
    rows: u64,
    /// Of the ids that have no bit of `mask`.
    seen: HashSet<u64>,
    mask: u64,
    /// Rows in a row that came before, of those that are looked at.
    repeated: u64,
    beyond_since: Option<Instant>,
}

/// Why a list is not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoEnd {
    /// All that comes came before.
    #[error("the core's list comes round again: after {rows} rows it goes on with those before")]
    Round {
        /// How many came.
        rows: u64,
    },
    /// It is longer than it can be.
    #[error("the core's list does not end: {rows} rows came, and {known} members are known")]
    Endless {
        /// How many came.
        rows: u64,
        /// How many there should be, about.
        known: u64,
    },
}

impl Course {
    /// What an id is remembered by.
    pub fn key(id: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        hasher.finish()
    }

    /// Whether the list is so long that it matters how many members are known.
    pub fn is_long(&self) -> bool {
        self.rows > ANY_LIST
    }

    /// A page came, of rows with these keys; `known` is how many members there should be, about.
    pub fn follow(&mut self, keys: &[u64], known: u64) -> Result<(), NoEnd> {
        self.rows += keys.len() as u64;
        for key in keys.iter().filter(|key| *key & self.mask == 0) {
            if self.seen.insert(*key) {
                self.repeated = 0;
            } else {
                self.repeated += 1;
            }
        }
        while self.seen.len() > MOST_KEPT {
            self.mask = self.mask << 1 | 1;
            let mask = self.mask;
            self.seen.retain(|key| key & mask == 0);
        }
        if self.repeated >= FEW.max(self.seen.len() as u64) {
            return Err(NoEnd::Round { rows: self.rows });
        }
        if self.rows > ANY_LIST.max(known.saturating_mul(TIMES_KNOWN)) {
            let since = *self.beyond_since.get_or_insert_with(Instant::now);
            if since.elapsed() > BEYOND {
                return Err(NoEnd::Endless { rows: self.rows, known });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(rows: impl Iterator<Item = u64>) -> Vec<u64> {
        rows.map(|row| Course::key(&row.to_string())).collect()
    }

    #[test]
    fn a_list_that_comes_round_is_found_out_within_another_round() {
        for members in [1, 3, 90, 5000, 50_000] {
            let mut course = Course::default();
            let mut rows = keys(0..members).into_iter().cycle();
            let mut came = 0;
            let end = loop {
                let page: Vec<u64> = rows.by_ref().take(97).collect();
                came += page.len() as u64;
                if let Err(end) = course.follow(&page, members) {
                    break end;
                }
            };
            assert_eq!(end, NoEnd::Round { rows: came });
            assert!(came <= members * 2 + members / 5 + 300, "{members}: {came}");
        }
    }

    #[test]
    fn pages_that_overlap_get_somewhere_all_the_same() {
        let mut course = Course::default();
        for page in 0..2000 {
            let from = page * 40;
            assert_eq!(course.follow(&keys(from..from + 100), 0), Ok(()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_that_is_longer_than_known_may_go_on_for_a_minute() {
        let mut course = Course::default();
        let mut row = 0;
        let mut page = |course: &mut Course, known| {
            row += 1000;
            course.follow(&keys(row - 1000..row), known)
        };
        for _ in 0..300 {
            page(&mut course, 100_000).unwrap();
        }
        tokio::time::sleep(BEYOND * 2).await;
        page(&mut course, 110_000).unwrap();
        page(&mut course, 100_000).unwrap();
        tokio::time::sleep(BEYOND + Duration::from_secs(1)).await;
        let end = page(&mut course, 100_000);
        assert_eq!(end, Err(NoEnd::Endless { rows: 303_000, known: 100_000 }));
    }
}
