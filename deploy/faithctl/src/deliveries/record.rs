//! A row of `webhook_logs`.

use chrono::{DateTime, Utc};
use database::Row;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

/// A delivery; keys of its JSON are the columns.
#[derive(Debug, Serialize)]
pub(super) struct Delivery {
    pub(super) id: Uuid,
    pub(super) campus_id: Uuid,
    pub(super) event_id: String,
    pub(super) event_type: String,
    pub(super) member_id: Option<String>,
    pub(super) payload: Value,
    pub(super) signature_valid: bool,
    pub(super) received_at: DateTime<Utc>,
    pub(super) status: String,
    pub(super) message: Option<String>,
    pub(super) error: Option<String>,
    pub(super) attempts: i32,
    pub(super) processed_at: Option<DateTime<Utc>>,
    pub(super) trace_id: Option<String>,
}

/// The columns, for a `SELECT` from `webhook_logs l`.
pub(super) const COLUMNS: &str = "l.id, l.campus_id, l.event_id, l.event_type, l.member_id, l.payload,
    l.signature_valid, l.received_at, l.status, l.message, l.error, l.attempts, l.processed_at, l.trace_id";

impl Delivery {
    pub(super) fn from_row(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            campus_id: row.get("campus_id"),
            event_id: row.get("event_id"),
            event_type: row.get("event_type"),
            member_id: row.get("member_id"),
            payload: row.get("payload"),
            signature_valid: row.get("signature_valid"),
            received_at: row.get("received_at"),
            status: row.get("status"),
            message: row.get("message"),
            error: row.get("error"),
            attempts: row.get("attempts"),
            processed_at: row.get("processed_at"),
            trace_id: row.get("trace_id"),
        }
    }

    /// What happened, or why not: one of the two is usually there.
    pub(super) fn outcome(&self) -> String {
        let parts: Vec<&str> =
            [&self.message, &self.error].into_iter().flatten().map(String::as_str).collect();
        if parts.is_empty() { "-".to_owned() } else { parts.join(": ") }
    }
}
