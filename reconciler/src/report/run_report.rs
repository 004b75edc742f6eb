//! What a command tells of a run: for people, and as JSON.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use store::{ChangeKind, RunStatus};
use uuid::Uuid;

use crate::{
    report::{
        counters::{DRIFT, RunCounters, SAMPLES, Sample},
        phases::Phases,
        undecided::Named,
    },
    run::request::RunRequest,
};

/// Members of a kind that a person is shown.
const SHOWN: usize = 10;

/// A run that came to an end, its keys named like the columns of `sync_logs`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RunReport {
    /// None of a dry run.
    id: Option<Uuid>,
    pub(crate) campus_id: Uuid,
    campus_name: String,
    sync_type: &'static str,
    dry_run: bool,
    status: &'static str,
    members_fetched: u64,
    members_created: u64,
    members_linked: u64,
    members_updated: u64,
    members_archived: u64,
    members_unarchived: u64,
    members_unchanged: u64,
    candidates_held: u64,
    foreign_rows: u64,
    members_undecided: u64,
    members_asked: u64,
    error_message: Option<String>,
    started_at: DateTime<Utc>,
    completed_at: DateTime<Utc>,
    pub(crate) duration_seconds: f64,
    phase_seconds: Phases,
    /// Samples of what changed, or would.
    changes: Vec<Sample>,
    /// Samples of what is undecided.
    undecided: Vec<Named>,
    #[serde(skip)]
    pub(crate) outcome: RunStatus,
    /// Postgres ended it: again, it may well come to its end.
    #[serde(skip)]
    pub(crate) is_cut_off: bool,
    #[serde(skip)]
    pub(crate) counters: RunCounters,
}

impl RunReport {
    pub(crate) fn new(
        request: &RunRequest,
        id: Option<Uuid>,
        campus_name: String,
        outcome: RunStatus,
        counters: RunCounters,
        error_message: Option<String>,
        started_at: DateTime<Utc>,
    ) -> Self {
        let completed_at = Utc::now();
        let millis = (completed_at - started_at).num_milliseconds();
        Self {
            id,
            campus_id: request.campus,
            campus_name,
            sync_type: request.trigger.sync_type(),
            dry_run: request.is_dry_run,
            status: outcome.as_str(),
            members_fetched: counters.fetched,
            members_created: counters.of(ChangeKind::Created),
            members_linked: counters.of(ChangeKind::Linked),
            members_updated: counters.of(ChangeKind::Updated),
            members_archived: counters.of(ChangeKind::Archived),
            members_unarchived: counters.of(ChangeKind::Unarchived),
            members_unchanged: counters.unchanged(),
            candidates_held: counters.held(),
            foreign_rows: counters.foreign,
            members_undecided: counters.undecided.count(),
            members_asked: counters.asked,
            error_message,
            started_at,
            completed_at,
            #[allow(clippy::cast_precision_loss, reason = "runs last hours, not millennia")]
            duration_seconds: millis as f64 / 1000.0,
            phase_seconds: counters.phases,
            changes: counters.samples.clone(),
            undecided: counters.undecided.names().take(SAMPLES).collect(),
            outcome,
            is_cut_off: false,
            counters,
        }
    }

    /// Why it failed, or what is to be said beside the numbers.
    pub(crate) fn error_message(&self) -> Option<&str> {
        self.error_message.as_deref()
    }

    /// Whether a dry run found core and campus unequal.
    pub(crate) fn is_drift(&self) -> bool {
        self.dry_run && self.counters.is_drift()
    }

    /// Whether a run held archives back.
    pub(crate) fn is_held(&self) -> bool {
        !self.dry_run && self.outcome == RunStatus::Held
    }

    /// Which run it was and how much it did, without anybody's id.
    pub(crate) fn numbers(&self) -> Value {
        json!({
            "run": self.id,
            "status": self.status,
            "members_fetched": self.members_fetched,
            "members_created": self.members_created,
            "members_linked": self.members_linked,
            "members_updated": self.members_updated,
            "members_archived": self.members_archived,
            "members_unarchived": self.members_unarchived,
            "candidates_held": self.candidates_held,
            "members_undecided": self.members_undecided,
        })
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let name: String = self.campus_name.chars().filter(|c| !c.is_control()).collect();
        let what = if self.dry_run { "dry run, nothing was written" } else { self.status };
        writeln!(text, "{name} ({}): {what}, {:.1} s", self.campus_id, self.duration_seconds)?;
        if self.outcome == RunStatus::Error {
            let message = self.error_message.as_deref().unwrap_or_default();
            writeln!(text, "  failed: {message}")?;
            if self.members_fetched == 0 {
                return Ok(());
            }
        }
        writeln!(text, "  {:>9} members listed by the core", self.members_fetched)?;
        if self.foreign_rows > 0 {
            writeln!(text, "  {:>9} rows of other churches, skipped", self.foreign_rows)?;
        }
        writeln!(text, "  {:>9} as they should be", self.members_unchanged)?;
        for kind in DRIFT {
            self.write_kind(text, kind)?;
        }
        if !self.undecided.is_empty() {
            writeln!(text, "  {:>9} undecided, and left as they are", self.members_undecided)?;
            for named in self.undecided.iter().take(SHOWN) {
                writeln!(text, "            {} ({})", named.member, named.reason)?;
            }
        }
        if self.is_drift() {
            writeln!(text, "  To do this: reconciler --once --campus {}", self.campus_id)?;
        }
        if self.candidates_held > 0 && self.dry_run {
            writeln!(
                text,
                "  None of these would be archived or brought back: they are more than the campus allows in \
                 a day, or moved. The run would say how to let them through."
            )?;
        } else if self.candidates_held > 0 {
            writeln!(
                text,
                "  None of these was archived or brought back: they are more than the campus allows in a day, or \
                 moved. If it is right:\n    reconciler --once --campus {} --allow-archive {}",
                self.campus_id, self.candidates_held
            )?;
        }
        Ok(())
    }

    fn write_kind(&self, text: &mut String, kind: ChangeKind) -> std::fmt::Result {
        let number = self.counters.of(kind);
        let verb = match (kind, self.dry_run) {
            (ChangeKind::Created, false) => "created",
            (ChangeKind::Created, true) => "missing here: would be created",
            (ChangeKind::Linked, false) => "linked with people who were here already",
            (ChangeKind::Linked, true) => "here already by phone and name: would be linked",
            (ChangeKind::Updated, false) => "updated",
            (ChangeKind::Updated, true) => "with other values: would be updated",
            (ChangeKind::Archived, false) => "archived",
            (ChangeKind::Archived, true) => "gone, inactive or filtered out: would be archived",
            (ChangeKind::Unarchived, false) => "unarchived",
            (ChangeKind::Unarchived, true) => "active again: would be unarchived",
            (ChangeKind::Held, false) => "held for an operator",
            (ChangeKind::Held, true) => "would be held for an operator",
            (ChangeKind::Undecided, _) => "undecided, and left as they are",
        };
        if number == 0 && (self.dry_run || matches!(kind, ChangeKind::Held | ChangeKind::Linked)) {
            return Ok(());
        }
        writeln!(text, "  {number:>9} {verb}")?;
        let samples: Vec<&Sample> =
            self.changes.iter().filter(|sample| sample.kind == kind).collect();
        for sample in samples.iter().take(SHOWN) {
            match &sample.reason {
                Some(reason) => writeln!(text, "            {} ({reason})", sample.member)?,
                None => writeln!(text, "            {}", sample.member)?,
            }
        }
        let rest = number.saturating_sub(SHOWN.min(samples.len()) as u64);
        if rest > 0 {
            writeln!(text, "            and {rest} more")?;
        }
        Ok(())
    }
}
