//! A row of `dead_letters`.

use chrono::{DateTime, Utc};
use database::{Client, DatabaseError, Row};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

/// A letter; keys of its JSON are the columns.
#[derive(Debug, Serialize)]
pub(super) struct DeadLetterRecord {
    pub(super) id: Uuid,
    pub(super) event_id: Option<String>,
    pub(super) campus_id: Option<Uuid>,
    pub(super) event_type: Option<String>,
    pub(super) member_id: Option<String>,
    pub(super) cause: String,
    pub(super) reason: String,
    pub(super) attempts: i32,
    pub(super) first_failed_at: Option<DateTime<Utc>>,
    pub(super) dead_at: DateTime<Utc>,
    pub(super) received_at: Option<DateTime<Utc>>,
    pub(super) envelope: Value,
    pub(super) trace_id: Option<String>,
    pub(super) status: String,
    pub(super) replay_count: i32,
    pub(super) replayed_at: Option<DateTime<Utc>>,
    pub(super) resolved_at: Option<DateTime<Utc>>,
    pub(super) note: Option<String>,
}

/// The columns, for a `SELECT` from `dead_letters d`.
pub(super) const COLUMNS: &str = "d.id, d.event_id, d.campus_id, d.event_type, d.member_id, d.cause,
    d.reason, d.attempts, d.first_failed_at, d.dead_at, d.received_at, d.envelope, d.trace_id, d.status,
    d.replay_count, d.replayed_at, d.resolved_at, d.note";

impl DeadLetterRecord {
    pub(super) fn from_row(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            event_id: row.get("event_id"),
            campus_id: row.get("campus_id"),
            event_type: row.get("event_type"),
            member_id: row.get("member_id"),
            cause: row.get("cause"),
            reason: row.get("reason"),
            attempts: row.get("attempts"),
            first_failed_at: row.get("first_failed_at"),
            dead_at: row.get("dead_at"),
            received_at: row.get("received_at"),
            envelope: row.get("envelope"),
            trace_id: row.get("trace_id"),
            status: row.get("status"),
            replay_count: row.get("replay_count"),
            replayed_at: row.get("replayed_at"),
            resolved_at: row.get("resolved_at"),
            note: row.get("note"),
        }
    }

    /// Those with these ids that are still there, the oldest first.
    pub(super) async fn load(client: &Client, ids: &[Uuid]) -> Result<Vec<Self>, DatabaseError> {
        let rows = client
            .query(
                &format!(
                    "SELECT {COLUMNS} FROM dead_letters d WHERE id = ANY($1) ORDER BY dead_at, id"
                ),
                &[&ids],
            )
            .await
            .map_err(DatabaseError::during("read dead letters"))?;
        Ok(rows.iter().map(Self::from_row).collect())
    }

    /// Whether it holds an event, and not the bytes of a message that could not be read.
    pub(super) fn is_event(&self) -> bool {
        self.event_id.is_some()
    }
}
