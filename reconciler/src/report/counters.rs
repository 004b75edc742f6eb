//! What a run did, counted and with samples: ids and kinds, nothing else about anybody.

use serde::{Serialize, Serializer};
use store::ChangeKind;

use crate::{
    list::classify::Unreadable,
    report::{phases::Phases, undecided::Undecided},
};

/// Samples of each kind that are kept.
pub(crate) const SAMPLES: usize = 100;

/// What makes core and campus unequal. Of the undecided that is not known.
pub(crate) const DRIFT: [ChangeKind; 6] = [
    ChangeKind::Created,
    ChangeKind::Linked,
    ChangeKind::Updated,
    ChangeKind::Archived,
    ChangeKind::Unarchived,
    ChangeKind::Held,
];

/// A member that was changed, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Sample {
    #[serde(serialize_with = "kind_as_text")]
    pub(crate) kind: ChangeKind,
    pub(crate) member: String,
    /// Why it is archived; which columns are updated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields so")]
fn kind_as_text<S: Serializer>(kind: &ChangeKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.as_str())
}

/// What a run did.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunCounters {
    /// Members of the church in the list, each once.
    pub(crate) fetched: u64,
    /// By [`DRIFT`].
    changes: [u64; DRIFT.len()],
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

impl RunCounters {
    /// Counts a change and keeps a sample of it; whether it was kept.
    pub(crate) fn count(&mut self, kind: ChangeKind, member: &str, reason: Option<&str>) -> bool {
        for (counted, number) in DRIFT.into_iter().zip(&mut self.changes) {
            *number += u64::from(counted == kind);
        }
        let kept = self.samples.iter().filter(|sample| sample.kind == kind).count() < SAMPLES;
        if kept {
            let (member, reason) = (member.to_owned(), reason.map(str::to_owned));
            self.samples.push(Sample { kind, member, reason });
        }
        kept
    }

    /// How often something of a kind happened.
    pub(crate) fn of(&self, kind: ChangeKind) -> u64 {
        match DRIFT.into_iter().zip(self.changes).find(|(counted, _)| *counted == kind) {
            Some((_, number)) => number,
            None => self.undecided.count(),
        }
    }

    /// Archives and returns that wait for an operator.
    pub(crate) fn held(&self) -> u64 {
        self.of(ChangeKind::Held)
    }

    /// Listed members that were found as they should be. Undecided is not unchanged.
    pub(crate) fn unchanged(&self) -> u64 {
        self.fetched.saturating_sub(self.touched + self.undecided.listed())
    }

    /// Whether core and campus were not equal.
    pub(crate) fn is_drift(&self) -> bool {
        self.changes.iter().any(|number| *number > 0)
    }

    /// In one sentence. What hardly ever happens is left out where it did not.
    pub(crate) fn summary(&self) -> String {
        let part = |kind: ChangeKind| {
            let number = self.of(kind);
            let is_rare =
                matches!(kind, ChangeKind::Linked | ChangeKind::Held | ChangeKind::Undecided);
            (number > 0 || !is_rare).then(|| format!("{number} {}", kind.as_str()))
        };
        let parts: Vec<String> = ChangeKind::ALL.into_iter().filter_map(part).collect();
        format!("{} listed: {}.", self.fetched, parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_names_what_is_rare_only_where_it_happened() {
        let mut counters = RunCounters { fetched: 5, ..RunCounters::default() };
        counters.count(ChangeKind::Created, "a", None);
        let usual = "5 listed: 1 created, 0 updated, 0 archived, 0 unarchived.";
        assert_eq!(counters.summary(), usual);
        counters.count(ChangeKind::Linked, "b", None);
        counters.count(ChangeKind::Held, "c", Some("moved"));
        counters.undecided.member("d", "it fails".to_owned(), true);
        let all = "5 listed: 1 created, 1 linked, 0 updated, 0 archived, 0 unarchived, 1 held, 1 undecided.";
        assert_eq!(counters.summary(), all);
        assert!(counters.is_drift());
        assert_eq!(counters.unchanged(), 4);
    }
}
