//! How many rows are asked for at once.

use std::time::Duration;

use super::{Gathered, Part};

/// Rows asked for at first, when nobody knows how heavy they are: with photos of some hundred kilobytes
/// each they come over a line of 10 Mbit/s within the time that a request has.
const FIRST: u32 = 16;
/// With more it is not begun, whatever was remembered: a core may be slower today.
const MOST_AT_FIRST: u32 = 250;
/// The most that the core gives.
const MOST: u32 = 1000;
/// What a page should be: light enough for several in memory.
const WANTED_BYTES: u64 = 3 * 1024 * 1024;
/// How long a page may be on its way, once it has begun to come.
const WANTED_TIME: Duration = Duration::from_secs(2);
/// Pages that take no longer may be larger, …
const QUICK: Duration = Duration::from_secs(1);
/// … and these much larger.
const VERY_QUICK: Duration = Duration::from_millis(250);
/// Pages that are asked for at once, where that is quicker.
const MOST_AT_ONCE: usize = 3;
/// How many pages come before more rows are asked for than could once be given; doubled each time that
/// they could not again.
const FIRST_DOUBT: u32 = 4;
const LONGEST_DOUBT: u32 = 256;

/// The size of pages, which follows what the core and the line to it can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageSize {
    rows: u32,
    /// Pages that are still to come before the size may grow.
    doubt: u32,
    next_doubt: u32,
    /// What came last as it was asked for.
    given: Option<u32>,
    /// How long the last page was coming.
    coming: Duration,
}

impl PageSize {
    /// For a list that is about to be read, with the size that was right the last time.
    pub fn new(remembered: Option<u32>) -> Self {
        let rows = remembered.unwrap_or(FIRST).clamp(1, MOST_AT_FIRST);
        Self { rows, doubt: 0, next_doubt: FIRST_DOUBT, given: None, coming: Duration::ZERO }
    }

    /// How many rows to ask for.
    pub fn rows(self) -> u32 {
        self.rows
    }

    /// How many rows to begin with the next time.
    pub fn to_remember(self) -> u32 {
        self.given.unwrap_or(self.rows)
    }

    /// How many pages to ask for at once: a line that is full carries no more for two.
    pub fn at_once(self) -> usize {
        if self.coming > QUICK { 1 } else { MOST_AT_ONCE }
    }

    /// A window came, whole or in parts.
    pub fn learn<R>(&mut self, gathered: &Gathered<R>) {
        let Some(largest) = gathered.parts.iter().max_by_key(|part| part.page.came) else { return };
        let came = u32::try_from(largest.page.came).unwrap_or(MOST);
        self.coming = largest.page.fetched_in.saturating_sub(largest.page.answered_in);
        if largest.window.rows == came {
            self.given = Some(came);
        }
        if !gathered.is_halved {
            self.follow(largest, came);
        } else if gathered.unreadable.is_empty() {
            // No row was the trouble, so it was their number.
            self.rows = if self.coming > WANTED_TIME { self.share(came) } else { came };
            self.doubt = self.next_doubt;
            self.next_doubt = (self.next_doubt * 2).min(LONGEST_DOUBT);
        }
    }

    /// Nothing came: whoever asks the next time should ask for less.
    pub fn fail(&mut self) {
        self.rows = (self.rows / 4).max(1);
        self.given = None;
    }

    fn follow<R>(&mut self, part: &Part<R>, came: u32) {
        let page = &part.page;
        // A line is slow in proportion to what it carries. A core may be slow whatever it is asked for,
        // and more requests would only make it worse.
        if self.coming > WANTED_TIME {
            self.rows = self.share(came);
        } else if self.doubt > 0 {
            self.doubt -= 1;
        } else {
            let factor = match page.fetched_in {
                time if time <= VERY_QUICK => 4,
                time if time <= QUICK => 2,
                _ => 1,
            };
            self.rows = self.rows.max(came.saturating_mul(factor));
        }
        let weight = (page.bytes as u64 / page.came.max(1)).max(1);
        let lightest = u32::try_from(WANTED_BYTES / weight).unwrap_or(MOST);
        self.rows = self.rows.min(lightest).clamp(1, MOST);
    }

    /// As many of so many rows as come within the time that is wanted.
    fn share(self, rows: u32) -> u32 {
        let share = u128::from(rows) * WANTED_TIME.as_millis() / self.coming.as_millis().max(1);
        u32::try_from(share).unwrap_or(rows).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Page, Paging, Window};

    /// A window of which one page came.
    fn came(rows: u32, bytes: usize, answered_in: u64, fetched_in: u64) -> Gathered<()> {
        let page = Page {
            rows: (),
            came: rows.into(),
            paging: Paging::Bare,
            bytes,
            answered_in: Duration::from_millis(answered_in),
            fetched_in: Duration::from_millis(fetched_in),
            parsed_in: Duration::ZERO,
        };
        let parts = vec![Part { window: Window { skip: 0, rows }, page }];
        Gathered { parts, unreadable: Vec::new(), is_halved: false, is_last: false, total: None }
    }

    #[test]
    fn it_begins_small_and_grows_with_a_quick_core() {
        let mut size = PageSize::new(None);
        let mut sizes = vec![size.rows()];
        while size.rows() < MOST {
            size.learn(&came(size.rows(), 2000, 20, 30));
            sizes.push(size.rows());
        }
        assert_eq!(sizes, [16, 64, 256, 1000]);
        assert_eq!(PageSize::new(Some(1000)).rows(), 250);
        assert_eq!(PageSize::new(Some(3)).rows(), 3);
    }

    #[test]
    fn heavy_rows_and_a_thin_line_make_it_smaller() {
        let mut size = PageSize::new(None);
        size.learn(&came(16, 16 * 1_500_000, 20, 30));
        assert_eq!(size.rows(), 2);
        let mut size = PageSize::new(None);
        size.learn(&came(16, 3_000_000, 100, 8100));
        assert_eq!((size.rows(), size.at_once()), (4, 1));
        size.learn(&came(4, 750_000, 100, 300));
        assert_eq!((size.rows(), size.at_once()), (8, 3));
        let halved = Gathered { is_halved: true, ..came(8, 3_000_000, 100, 8100) };
        size.learn(&halved);
        assert_eq!(size.rows(), 2);
    }

    #[test]
    fn a_core_that_is_slow_whatever_it_is_asked_for_is_not_asked_more_often() {
        let mut size = PageSize::new(None);
        size.learn(&came(16, 2000, 8000, 8010));
        assert_eq!(size.rows(), 16);
    }

    #[test]
    fn what_could_not_be_given_is_tried_again_ever_later() {
        let mut size = PageSize::new(Some(200));
        let refused = |rows| Gathered { is_halved: true, ..came(rows, 2000, 20, 30) };
        for doubt in [4, 8, 16] {
            size.learn(&refused(100));
            for _ in 0..doubt {
                assert_eq!(size.rows(), 100);
                size.learn(&came(100, 2000, 20, 30));
            }
            size.learn(&came(100, 2000, 20, 30));
            assert_eq!(size.rows(), 400);
        }
        // A row that cannot be given says nothing of the size.
        size.learn(&Gathered { unreadable: vec![7], ..refused(3) });
        assert_eq!(size.rows(), 400);
    }
}
