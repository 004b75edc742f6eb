//! What a finding does to a member's row: a pure decision, so that it can be read and tested
//! without a database.

use event::EventType;
use member::{ArchiveReason, Photo, Profile, Verdict};

use crate::{DeliveryStatus, columns::Columns};

/// What is known of a member after it was asked about, or told.
#[derive(Debug, Clone)]
pub enum Finding {
    /// The core answered with the member.
    Read(Box<Verdict>),
    /// The core said that there is no such member any more (404, 410).
    ReadGone,
    /// A prompt delete: taken at its word.
    DeleteUnasked,
}

impl Finding {
    /// Whether the member is gone from the core.
    pub fn is_gone(&self) -> bool {
        match self {
            Self::Read(verdict) => matches!(**verdict, Verdict::Deleted),
            Self::ReadGone | Self::DeleteUnasked => true,
        }
    }

    /// Whether nobody asked the core.
    pub fn is_unasked(&self) -> bool {
        matches!(self, Self::DeleteUnasked)
    }

    /// The photo that came with the member.
    pub fn photo(&self) -> Option<&Photo> {
        self.profile()?.photo.value()
    }

    /// The member's name, where the core said it.
    pub(crate) fn name(&self) -> Option<&str> {
        self.profile()?.name.value().map(String::as_str)
    }

    fn profile(&self) -> Option<&Profile> {
        match self {
            Self::Read(verdict) => verdict.profile(),
            Self::ReadGone | Self::DeleteUnasked => None,
        }
    }

    /// Whether the sync filter does not keep the member.
    pub(crate) fn is_filtered(&self) -> bool {
        matches!(self, Self::Read(verdict) if matches!(**verdict, Verdict::Filtered(_)))
    }

    /// What it does to the row's archive.
    fn archive_action(&self) -> ArchiveAction {
        match self {
            Self::Read(verdict) => match (&**verdict, verdict.archive_reason()) {
                (_, Some(reason)) => ArchiveAction::Archive(reason),
                (Verdict::Unstated(_), None) => ArchiveAction::Leave,
                (_, None) => ArchiveAction::Lift,
            },
            Self::ReadGone | Self::DeleteUnasked => ArchiveAction::Archive(ArchiveReason::Deleted),
        }
    }

    fn creates_unknown(&self) -> bool {
        matches!(self, Self::Read(verdict) if verdict.creates_unknown())
    }
}

/// What a finding does to a row's archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ArchiveAction {
    Archive(ArchiveReason),
    /// One of ours is lifted.
    Lift,
    /// It stays as it is.
    Leave,
}

/// A change of a row's archive, one that is held back or is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArchiveChange {
    /// For this reason.
    Archive(String),
    /// The archive is lifted.
    Lift,
}

/// What happens to the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// There is none, and none is made.
    Nothing,
    /// It is made.
    Insert(Columns),
    /// It is there; `None` where it says what the core says already.
    Update(Option<Columns>),
}

/// What happens to the row, and what is said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) change: Change,
    /// The outcome, for `webhook_logs.message`.
    pub(crate) message: String,
}

/// Decides for a member with the row `existing`, or none.
pub(crate) fn decide(existing: Option<&Columns>, finding: &Finding) -> Decision {
    let Some(existing) = existing else { return decide_unknown(finding) };
    let mut columns = existing.clone();
    if let Some(profile) = finding.profile() {
        columns.take(profile);
    }
    columns.set_archive(finding.archive_action());
    let newly_archived = columns.is_archived && !existing.is_archived;
    let verb = if newly_archived || finding.is_gone() { "archived" } else { "updated" };
    let message = outcome(verb, columns.name());
    Decision { change: Change::Update((columns != *existing).then_some(columns)), message }
}

fn decide_unknown(finding: &Finding) -> Decision {
    let name = finding.name();
    if !finding.creates_unknown() {
        let message = if finding.is_gone() { outcome("archived", None) } else { kept_out(name) };
        return Decision { change: Change::Nothing, message };
    }
    let message = outcome("created", name);
    let mut columns = Columns::default();
    if let Some(profile) = finding.profile() {
        columns.take(profile);
    }
    columns.set_archive(finding.archive_action());
    Decision { change: Change::Insert(columns), message }
}

/// The same decision for one who may neither archive anybody nor bring anybody back: whoever would be
/// keeps their state and takes everything else. Answers what was withheld.
pub(crate) fn withhold(
    existing: Option<&Columns>,
    decision: &mut Decision,
) -> Option<ArchiveChange> {
    let (Some(existing), Change::Update(Some(columns))) = (existing, &mut decision.change) else {
        return None;
    };
    let withheld = match (existing.is_archived, columns.is_archived) {
        (false, true) => {
            let reason = columns.archived_reason.take().unwrap_or_default();
            columns.lift_archive();
            decision.message = outcome("updated", columns.name());
            ArchiveChange::Archive(reason)
        }
        (true, false) => {
            columns.is_archived = true;
            columns.has_archive_date = existing.has_archive_date;
            columns.archived_reason.clone_from(&existing.archived_reason);
            ArchiveChange::Lift
        }
        _ => return None,
    };
    if columns == existing {
        decision.change = Change::Update(None);
    }
    Some(withheld)
}

/// How a delivery ends whose finding was applied. An event that told of a delete which the core
/// does not know of is stale, whatever the read did to the row; so is one that told of a member whom
/// the core no longer knows.
pub(crate) fn status(event_type: &EventType, finding: &Finding, change: &Change) -> DeliveryStatus {
    let is_delete = *event_type == EventType::MemberDeleted;
    if is_delete != finding.is_gone() && (is_delete || matches!(finding, Finding::ReadGone)) {
        DeliveryStatus::Stale
    } else if *change == Change::Nothing && !finding.is_gone() {
        DeliveryStatus::Filtered
    } else {
        DeliveryStatus::Processed
    }
}

/// What is said of an unknown member whom the filter keeps out.
pub(crate) fn kept_out(name: Option<&str>) -> String {
    format!("Member kept out by the sync filter: {}", name.unwrap_or(UNKNOWN))
}

const UNKNOWN: &str = "(unknown)";

/// The outcome text that the seed shows.
pub(crate) fn outcome(verb: &str, name: Option<&str>) -> String {
    format!("Member {verb}: {}", name.filter(|name| !name.is_empty()).unwrap_or(UNKNOWN))
}

impl Columns {
    /// Archives, or lifts an archive of ours. One made by a person, with another
    /// reason or none, is never touched; of one that was lifted nothing is left, or the next one that
    /// a person makes would look like ours.
    fn set_archive(&mut self, action: ArchiveAction) {
        let is_ours = ArchiveReason::ALL
            .iter()
            .any(|reason| self.archived_reason.as_deref() == Some(reason.as_str()));
        if self.is_archived && !is_ours {
            return;
        }
        match action {
            ArchiveAction::Archive(reason) => {
                self.has_archive_date |= !self.is_archived;
                self.is_archived = true;
                self.archived_reason = Some(reason.as_str().to_owned());
            }
            ArchiveAction::Lift => self.lift_archive(),
            // Nothing is left over of one that was lifted.
            ArchiveAction::Leave if !self.is_archived => self.lift_archive(),
            ArchiveAction::Leave => {}
        }
    }

    fn lift_archive(&mut self) {
        (self.is_archived, self.has_archive_date) = (false, false);
        self.archived_reason = None;
    }
}

#[cfg(test)]
mod tests;
