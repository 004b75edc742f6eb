//! What a batch of letters came to.

use std::collections::HashSet;

use queue::PublishError;
use store::dead_letters::LetterKey;
use uuid::Uuid;

/// What became of some letters.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// So many were done, and counted.
    pub(super) done: i64,
    /// They look like events, and are none.
    pub(super) broken: Vec<Uuid>,
    /// They are to be tried again, and why.
    pub(super) rest: Vec<LetterKey>,
    pub(super) waits: Option<PublishError>,
}

/// What was done of an operation on letters.
#[derive(Debug)]
pub(super) struct Tally {
    /// How many it is about.
    pub(super) matched: i64,
    /// How many are done, by this worker or one before it.
    pub(super) done: i64,
    /// How many match and hold no event.
    pub(super) unreadable: i64,
    /// Letters that look like events, and are none: they stay as they are, and would be found again and again.
    pub(super) broken: HashSet<Uuid>,
    limit: i64,
}

impl Tally {
    pub(super) fn new(matched: i64, done: i64, unreadable: i64, limit: Option<i32>) -> Self {
        let limit = limit.map_or(i64::MAX, i64::from);
        Self { matched: matched.min(limit), done, unreadable, broken: HashSet::new(), limit }
    }

    /// How many more may be done.
    pub(super) fn room(&self) -> usize {
        let used = self.done.saturating_add(self.broken_letters());
        usize::try_from(self.limit.saturating_sub(used)).unwrap_or(0)
    }

    /// How many hold no event, in all.
    pub(super) fn unreadable_letters(&self) -> i64 {
        self.unreadable + self.broken_letters()
    }

    /// What was matched, and something else became of it.
    pub(super) fn skipped(&self) -> i64 {
        (self.matched - self.done - self.broken_letters()).max(0)
    }

    fn broken_letters(&self) -> i64 {
        i64::try_from(self.broken.len()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_neither_done_nor_unreadable_was_skipped() {
        let mut tally = Tally::new(10, 4, 2, Some(6));
        assert_eq!((tally.matched, tally.room(), tally.skipped()), (6, 2, 2));
        tally.broken.insert(Uuid::nil());
        tally.done += 1;
        assert_eq!((tally.room(), tally.skipped(), tally.unreadable_letters()), (0, 0, 3));
    }
}
