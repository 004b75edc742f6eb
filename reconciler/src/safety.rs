//! Whether a list can be believed (rule reconciler-6), and whether anybody may be archived: pure, and apart from every step that reads
//! or writes.

use thiserror::Error;

/// Rows that a list may lack of its own total: members come and go while it is read.
const SLACK: u64 = 10;

/// What came of reading the whole list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Rows of every church, repeated ones included.
    pub(crate) rows: u64,
    /// Rows of other churches.
    pub(crate) foreign: u64,
    /// Members of this church, each once.
    pub(crate) members: u64,
    /// How many rows there are by the list's own last word, where it said so.
    pub(crate) total: Option<u64>,
}

/// Why a list that was read to its end is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum ImplausibleList {
    #[error(
        "the core's list is empty, but the campus has {here} members: nobody is archived for an empty list"
    )]
    Empty { here: u64 },
    #[error(
        "the core's list has {rows} rows, and none of them is of this campus's church: is the account of another church, or the campus's core church id wrong?"
    )]
    OnlyForeign { rows: u64 },
    #[error("the core's list ended after {rows} rows, though it says that it has {total}")]
    Short { rows: u64, total: u64 },
}

impl Listed {
    /// Whether the list may be compared with the campus's `here` members.
    pub(crate) fn check(&self, here: u64) -> Result<(), ImplausibleList> {
        if self.rows == 0 && here > 0 {
            return Err(ImplausibleList::Empty { here });
        }
        if self.rows > 0 && self.members == 0 {
            return Err(ImplausibleList::OnlyForeign { rows: self.rows });
        }
        match self.total {
            Some(total) if self.rows + SLACK.max(total / 100) < total => {
                Err(ImplausibleList::Short { rows: self.rows, total })
            }
            _ => Ok(()),
        }
    }
}

/// Whether the limit holds: `wanted` archives, or returns, that nobody let through, after `made` of the day.
pub(crate) fn is_held(wanted: u64, made: u64, most: u64) -> bool {
    wanted > 0 && wanted.saturating_add(made) > most
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_empty_list_is_believed_only_of_an_empty_campus() {
        let empty = Listed::default();
        assert_eq!(empty.check(0), Ok(()));
        assert_eq!(empty.check(1), Err(ImplausibleList::Empty { here: 1 }));
    }

    #[test]
    fn a_list_of_other_churches_only_is_never_believed() {
        let foreign = Listed { rows: 5, foreign: 5, ..Listed::default() };
        assert_eq!(foreign.check(0), Err(ImplausibleList::OnlyForeign { rows: 5 }));
        assert_eq!(Listed { members: 1, foreign: 4, ..foreign }.check(9), Ok(()));
    }

    #[test]
    fn a_list_shorter_than_it_says_is_not_believed() {
        let half = Listed { rows: 500, members: 500, total: Some(1000), ..Listed::default() };
        assert_eq!(half.check(1000), Err(ImplausibleList::Short { rows: 500, total: 1000 }));
        assert_eq!(Listed { total: Some(510), ..half }.check(1000), Ok(()));
        assert_eq!(Listed { total: None, ..half }.check(1000), Ok(()));
    }

    #[test]
    fn whoever_wants_to_archive_nobody_is_not_held_for_what_others_did() {
        assert!(!is_held(10, 0, 10) && is_held(11, 0, 10) && is_held(1, 10, 10));
        assert!(!is_held(0, 50, 10) && is_held(1, 0, 0));
    }

    proptest! {
        #[test]
        fn runs_of_a_day_never_archive_more_together_than_one_may(
            active in 0_u64..2_000_000, percent in 0_u32..=100, runs in prop::collection::vec(0_u64..200_000, 0..20),
        ) {
            let most = store::most_archive_changes(active, percent);
            prop_assert!(most <= active.max(10));
            let made = runs.iter().fold(0, |made, wanted| {
                if is_held(*wanted, made, most) { made } else { made + wanted }
            });
            prop_assert!(made <= most);
        }

        #[test]
        fn a_list_that_is_believed_has_nearly_all_that_it_says_it_has(
            members in 0_u64..1000, foreign in 0_u64..1000, here in 0_u64..1000,
            total in prop::option::of(0_u64..3000),
        ) {
            let rows = members + foreign;
            let listed = Listed { rows, foreign, members, total };
            if listed.check(here).is_ok() {
                prop_assert!(here == 0 || members > 0);
                prop_assert!(total.is_none_or(|total| total - rows.min(total) <= 10.max(total / 100)));
            }
        }

        #[test]
        fn more_of_either_is_never_let_through_where_less_was_held(wanted in 1_u64..9999, made in 0_u64..9999, most in 10_u64..9999) {
            // More of either never makes a held archive one that is let through.
            if is_held(wanted, made, most) {
                prop_assert!(is_held(wanted + 1, made, most) && is_held(wanted, made + 1, most));
            } else {
                prop_assert!(made + wanted <= most);
            }
        }

        #[test]
        fn a_list_without_a_row_of_the_church_never_archives_anybody(
            rows in 0_u64..1000, here in 1_u64..1000, total in prop::option::of(0_u64..1000),
        ) {
            let listed = Listed { rows, foreign: rows, members: 0, total };
            prop_assert!(listed.check(here).is_err());
        }
    }
}
