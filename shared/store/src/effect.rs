//! What an observation did to its member's row, for whoever counts it.

use crate::{
    ArchiveChange, ChangeKind,
    columns::Columns,
    decide::{Change, Decision, withhold},
    link::Linked,
};

/// What an observation did to its member's row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effect {
    /// Something else about the member was applied since the read began: read again.
    pub refused: bool,
    /// A later read is in already.
    pub superseded: bool,
    /// The row was made.
    pub created: bool,
    /// It took over the row of somebody who was here; what else was written then is no change of its own.
    pub linked: Option<Linked>,
    /// The columns that were written, and `photo`; but not the age, and those of the archive only where its
    /// reason is another one.
    pub changed: Vec<&'static str>,
    /// It was archived, or an archive of ours was lifted.
    pub archive: Option<ArchiveChange>,
    /// The same should be, and was not.
    pub withheld: Option<ArchiveChange>,
}

impl Effect {
    pub(crate) fn refused() -> Self {
        Self { refused: true, ..Self::default() }
    }

    /// A later read is in already: nothing was done.
    pub fn superseded() -> Self {
        Self { superseded: true, ..Self::default() }
    }

    /// What a decision does to a row, which may be one that was taken over. What is withheld is taken out of the
    /// decision; but whoever takes over an archive of ours comes back with that, as a new member would come.
    pub(crate) fn of(
        before: Option<&Columns>,
        decision: &mut Decision,
        linked: Option<Linked>,
        is_withheld: bool,
    ) -> Self {
        let comes_back = linked.is_some() && before.is_some_and(|columns| columns.is_archived);
        let withheld = if is_withheld && !comes_back { withhold(before, decision) } else { None };
        let effect = Self { linked, withheld, ..Self::default() };
        match (before, &decision.change) {
            (_, Change::Insert(_)) => Self { created: true, ..effect },
            (Some(before), Change::Update(Some(after))) => {
                let mut changed = before.differing(after);
                let is_archive_kept = before.is_archived && after.is_archived;
                if is_archive_kept && before.archived_reason != after.archived_reason {
                    changed.push("archived_reason");
                }
                Self { changed, archive: before.archive_change(after), ..effect }
            }
            _ => effect,
        }
    }

    /// The photo of a row that was there already is another one.
    pub(crate) fn note_photo(&mut self) {
        self.changed.push("photo");
    }

    /// What it counts as, archives and returns aside.
    pub fn kinds(&self) -> impl Iterator<Item = ChangeKind> {
        let is_updated = !self.changed.is_empty() && self.linked.is_none();
        [
            (self.created, ChangeKind::Created),
            (self.linked.is_some(), ChangeKind::Linked),
            (is_updated, ChangeKind::Updated),
        ]
        .into_iter()
        .filter_map(|(happened, kind)| happened.then_some(kind))
    }
}

impl Columns {
    fn archive_change(&self, other: &Self) -> Option<ArchiveChange> {
        match (self.is_archived, other.is_archived) {
            (false, true) => {
                Some(ArchiveChange::Archive(other.archived_reason.clone().unwrap_or_default()))
            }
            (true, false) => Some(ArchiveChange::Lift),
            _ => None,
        }
    }
}
