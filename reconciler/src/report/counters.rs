//! What a run did, counted and with samples: ids and kinds, nothing else about anybody.

use serde::Serialize;
use store::Effect;

use crate::{
    list::classify::Unreadable,
    report::{phases::Phases, undecided::Undecided},
};

/// Samples of each kind that are kept.
pub(crate) const SAMPLES: usize = 100;

/// What became of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Created,
    /// Created in the core, and here already: the row was taken over.
    Linked,
    Updated,
    Archived,
    Unarchived,
    Held,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] =
        [Self::Created, Self::Linked, Self::Updated, Self::Archived, Self::Unarchived, Self::Held];

    /// The text in `sync_changes.kind`, and a metric's label.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Linked => "linked",
            Self::Updated => "updated",
            Self::Archived => "archived",
            Self::Unarchived => "unarchived",
            Self::Held => "held",
        }
    }
}

/// A member that was changed, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Sample {
    pub(crate) kind: Kind,
    pub(crate) member: String,
    /// Why it is archived; which columns are updated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// What a run did.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// Members of the church in the list, each once.
    pub(crate) fetched: u64,
    pub(crate) created: u64,
    pub(crate) linked: u64,
    pub(crate) updated: u64,
    pub(crate) archived: u64,
    pub(crate) unarchived: u64,
    pub(crate) held: u64,
    /// Listed members to whom any of that happened, or should have.
    pub(crate) touched: u64,
    /// Rows of other churches in the list.
    pub(crate) foreign: u64,
    /// Values of the list that cannot be read.
    pub(crate) unreadable: Unreadable,
    /// Of those who are held, members of another church by now.
    pub(crate) moved: u64,
    /// Members and rows that nothing could be decided about.
    pub(crate) undecided: Undecided,
    /// Members asked for by id.
    pub(crate) asked: u64,
    pub(crate) samples: Vec<Sample>,
    pub(crate) phases: Phases,
    /// How many rows of the list were asked for at once in the end.
    pub(crate) page_rows: Option<u32>,
}

impl Tally {
    /// Counts a change and keeps a sample of it; whether it was kept.
    pub(crate) fn count(&mut self, kind: Kind, member: &str, reason: Option<&str>) -> bool {
        *self.of_mut(kind) += 1;
        let kept = self.samples.iter().filter(|sample| sample.kind == kind).count() < SAMPLES;
        if kept {
            let (member, reason) = (member.to_owned(), reason.map(str::to_owned));
            self.samples.push(Sample { kind, member, reason });
        }
        kept
    }

    /// How often something of a kind happened.
    pub(crate) fn of(&self, kind: Kind) -> u64 {
        match kind {
            Kind::Created => self.created,
            Kind::Linked => self.linked,
            Kind::Updated => self.updated,
            Kind::Archived => self.archived,
            Kind::Unarchived => self.unarchived,
            Kind::Held => self.held,
        }
    }

    fn of_mut(&mut self, kind: Kind) -> &mut u64 {
        match kind {
            Kind::Created => &mut self.created,
            Kind::Linked => &mut self.linked,
            Kind::Updated => &mut self.updated,
            Kind::Archived => &mut self.archived,
            Kind::Unarchived => &mut self.unarchived,
            Kind::Held => &mut self.held,
        }
    }

    /// Listed members that were found as they should be. Undecided is not unchanged.
    pub(crate) fn unchanged(&self) -> u64 {
        self.fetched.saturating_sub(self.touched + self.undecided.listed())
    }

    /// Whether core and campus were not equal.
    pub(crate) fn is_drift(&self) -> bool {
        Kind::ALL.into_iter().any(|kind| self.of(kind) > 0)
    }

    /// In one sentence.
    pub(crate) fn summary(&self) -> String {
        let Self { fetched, created, linked, updated, archived, unarchived, held, .. } = self;
        let held = if *held > 0 { format!(", {held} held") } else { String::new() };
        let undecided = match self.undecided.count() {
            0 => String::new(),
            number => format!(", {number} undecided"),
        };
        let linked = if *linked > 0 { format!(" {linked} linked,") } else { String::new() };
        format!(
            "{fetched} listed: {created} created,{linked} {updated} updated, {archived} archived, {unarchived} unarchived{held}{undecided}."
        )
    }
}

/// What an effect counts as, short of archives and returns.
pub(crate) fn kinds(effect: &Effect) -> impl Iterator<Item = Kind> {
    [
        (effect.created, Kind::Created),
        (effect.linked.is_some(), Kind::Linked),
        (effect.updated && effect.linked.is_none(), Kind::Updated),
    ]
    .into_iter()
    .filter_map(|(happened, kind)| happened.then_some(kind))
}
