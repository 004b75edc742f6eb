//! A reconciliation run, as `sync_logs` has it.

use chrono::{DateTime, Utc};
use database::Row;
use serde::Serialize;
use uuid::Uuid;

/// What is read of a run; `l` is the log, `c` the campus.
pub(super) const SELECT: &str =
    "SELECT l.*, c.name AS campus_name FROM sync_logs l JOIN campuses c ON c.id = l.campus_id";

/// A run; keys of its JSON are the columns of `sync_logs`.
#[derive(Debug, Serialize)]
pub(super) struct Run {
    pub(super) id: Uuid,
    pub(super) campus_id: Uuid,
    pub(super) campus_name: String,
    pub(super) sync_type: String,
    pub(super) status: String,
    pub(super) members_fetched: i32,
    pub(super) members_undecided: i32,
    pub(super) members_created: i32,
    pub(super) members_linked: i32,
    pub(super) members_updated: i32,
    pub(super) members_archived: i32,
    pub(super) members_unarchived: i32,
    pub(super) members_unchanged: i32,
    pub(super) candidates_held: i32,
    pub(super) error_message: Option<String>,
    pub(super) started_at: DateTime<Utc>,
    pub(super) completed_at: Option<DateTime<Utc>>,
    pub(super) duration_seconds: Option<f64>,
    pub(super) allowed_archives: Option<i32>,
    pub(super) allowed_by: Option<String>,
    pub(super) allowed_run_id: Option<Uuid>,
}

impl Run {
    pub(super) fn from_row(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            campus_id: row.get("campus_id"),
            campus_name: row.get("campus_name"),
            sync_type: row.get("sync_type"),
            status: row.get("status"),
            members_fetched: row.get("members_fetched"),
            members_undecided: row.get("members_undecided"),
            members_created: row.get("members_created"),
            members_linked: row.get("members_linked"),
            members_updated: row.get("members_updated"),
            members_archived: row.get("members_archived"),
            members_unarchived: row.get("members_unarchived"),
            members_unchanged: row.get("members_unchanged"),
            candidates_held: row.get("candidates_held"),
            error_message: row.get("error_message"),
            started_at: row.get("started_at"),
            completed_at: row.get("completed_at"),
            duration_seconds: row.get("duration_seconds"),
            allowed_archives: row.get("allowed_archives"),
            allowed_by: row.get("allowed_by"),
            allowed_run_id: row.get("allowed_run_id"),
        }
    }

    /// How long it took, for people.
    pub(super) fn duration(&self) -> String {
        self.duration_seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1}s"))
    }
}
