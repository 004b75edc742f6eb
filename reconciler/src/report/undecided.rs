//! Members and rows of the list that nothing could be decided about: each once, by its id where that is
//! known, else by its place (rule reconciler-9).

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

/// More members than this that the core has and its list lacks are no pages that overlapped.
const FEW_UNLISTED: usize = 10;

/// Who and what is undecided.
#[derive(Debug, Clone, Default)]
pub(crate) struct Undecided {
    members: BTreeMap<String, String>,
    /// Those of them who are listed, and count as nothing else.
    listed: BTreeSet<String>,
    /// By how many rows are before each.
    rows: BTreeMap<u64, &'static str>,
    /// Active here, not in the list, and the core has them by id.
    unlisted: BTreeSet<String>,
    /// Active here, not in the list, and undecided.
    absent: usize,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Named {
    /// The id, or `row 62 of the list`.
    pub(crate) member: String,
    pub(crate) reason: String,
}

impl Undecided {
    /// A member of the list, or one who is not in it.
    pub(crate) fn member(&mut self, id: &str, reason: String, is_listed: bool) {
        let is_new = self.members.insert(id.to_owned(), reason).is_none();
        if is_listed {
            self.listed.insert(id.to_owned());
        } else {
            self.absent += usize::from(is_new);
        }
    }

    /// A member who counts as something else already.
    pub(crate) fn counted(&mut self, id: &str, reason: String) {
        self.members.entry(id.to_owned()).or_insert(reason);
    }

    /// A row of the list.
    pub(crate) fn row(&mut self, before: u64, reason: &'static str) {
        self.rows.insert(before, reason);
    }

    /// Somebody whom the list lacks is alive.
    pub(crate) fn unlisted(&mut self, id: &str) {
        self.unlisted.insert(id.to_owned());
    }

    /// The list and everybody in question are through, of a campus with so many active members: rows that
    /// the core did not give are most likely those of the members that its list lacks. If it lacks many
    /// more, it was cut short.
    pub(crate) fn conclude(&mut self, active: u64) {
        for _ in 0..self.absent.min(self.rows.len()) {
            self.rows.pop_first();
        }
        let few = FEW_UNLISTED.max(usize::try_from(active / 100).unwrap_or(usize::MAX));
        let surplus = self.unlisted.len().saturating_sub(self.rows.len());
        let unlisted = std::mem::take(&mut self.unlisted);
        if surplus == 0 || surplus > few {
            for id in unlisted {
                self.rows.pop_first();
                let reason = "The core has this member, and its list does not show it.".to_owned();
                self.counted(&id, reason);
            }
        }
    }

    /// How many.
    pub(crate) fn count(&self) -> u64 {
        (self.members.len() + self.rows.len()) as u64
    }

    /// How many of them are members in the list that count as nothing else.
    pub(crate) fn listed(&self) -> u64 {
        self.listed.len() as u64
    }

    /// Each by its name.
    pub(crate) fn names(&self) -> impl Iterator<Item = Named> {
        let members = self
            .members
            .iter()
            .map(|(id, reason)| Named { member: id.clone(), reason: reason.clone() });
        let rows = self.rows.iter().map(|(before, reason)| Named {
            member: format!("row {} of the list", before + 1),
            reason: (*reason).to_owned(),
        });
        members.chain(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(undecided: &Undecided) -> Vec<String> {
        undecided.names().map(|named| named.member).collect()
    }

    #[test]
    fn each_is_counted_once_by_id_where_that_is_known() {
        let mut undecided = Undecided::default();
        undecided.row(61, "not given");
        undecided.member("a", "it fails".to_owned(), false);
        undecided.member("a", "it fails again".to_owned(), false);
        undecided.member("b", "it fails".to_owned(), true);
        undecided.counted("b", "it fails".to_owned());
        undecided.conclude(100);
        assert_eq!(
            (names(&undecided), undecided.listed()),
            (vec!["a".to_owned(), "b".to_owned()], 1)
        );
        undecided.row(61, "not given");
        undecided.unlisted("c");
        undecided.absent = 0;
        undecided.conclude(100);
        assert_eq!(names(&undecided), ["a", "b", "c"]);
    }

    #[test]
    fn a_row_of_nobody_known_is_named_by_its_place() {
        let mut undecided = Undecided::default();
        undecided.row(61, "not given");
        undecided.conclude(100);
        assert_eq!(names(&undecided), ["row 62 of the list"]);
    }

    #[test]
    fn pages_that_overlap_lack_few_and_a_list_that_is_cut_short_many() {
        let lacking = |number: u32, active| {
            let mut undecided = Undecided::default();
            for id in 0..number {
                undecided.unlisted(&id.to_string());
            }
            undecided.conclude(active);
            undecided.count()
        };
        assert_eq!((lacking(10, 200), lacking(11, 200), lacking(125, 200)), (0, 11, 125));
        assert_eq!((lacking(50, 5000), lacking(51, 5000)), (0, 51));
    }
}
