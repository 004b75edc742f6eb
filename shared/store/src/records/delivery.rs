//! A row of `webhook_logs`.

use chrono::{DateTime, Utc};
use database::{Client, DatabaseError};
use serde_json::Value;
use uuid::Uuid;

use super::record;
use crate::DeliveryStatus;

record! {
    /// A delivery, with all that its log row says.
    DeliveryRecord {
        id: Uuid = "l.id",
        campus_id: Uuid = "l.campus_id",
        event_id: String = "l.event_id",
        event_type: String = "l.event_type",
        member_id: Option<String> = "l.member_id",
        payload: Value = "l.payload",
        signature_valid: bool = "l.signature_valid",
        received_at: DateTime<Utc> = "l.received_at",
        status: String = "l.status",
        message: Option<String> = "l.message",
        error: Option<String> = "l.error",
        attempts: i32 = "l.attempts",
        processed_at: Option<DateTime<Utc>> = "l.processed_at",
        trace_id: Option<String> = "l.trace_id",
    }
}

/// Which deliveries are listed: those of which all that is given holds.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// Of this campus.
    pub campus: Option<Uuid>,
    /// About this member, by the core's id.
    pub member: Option<String>,
    /// Of this type.
    pub event_type: Option<String>,
    /// In this status.
    pub status: Option<DeliveryStatus>,
    /// Received since.
    pub since: Option<DateTime<Utc>>,
}

impl DeliveryRecord {
    /// The newest of those that match.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn list(
        client: &Client,
        filter: &DeliveryFilter,
        limit: u32,
    ) -> Result<Vec<Self>, DatabaseError> {
        let DeliveryFilter { campus, member, event_type, status, since } = filter;
        let status = status.map(DeliveryStatus::as_str);
        let statement = select(
            "WHERE ($1::uuid IS NULL OR campus_id = $1)
               AND ($2::text IS NULL OR member_id = $2)
               AND ($3::text IS NULL OR event_type = $3)
               AND ($4::text IS NULL OR status = $4)
               AND ($5::timestamptz IS NULL OR received_at >= $5)
             ORDER BY received_at DESC, id DESC LIMIT $6",
        );
        let rows = client
            .query(&statement, &[campus, member, event_type, &status, since, &i64::from(limit)])
            .await
            .map_err(DatabaseError::during("list deliveries"))?;
        Ok(rows.iter().map(Self::from_row).collect())
    }

    /// Every delivery of an event, the newest first. By the event's id, which has an index; else by the
    /// delivery's or the trace's, which have none.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn of_event(client: &Client, id: &str) -> Result<Vec<Self>, DatabaseError> {
        for is_it in ["event_id = $1", "id::text = $1 OR trace_id = $1"] {
            let statement = select(&format!("WHERE {is_it} ORDER BY received_at DESC, id DESC"));
            let rows = client
                .query(&statement, &[&id])
                .await
                .map_err(DatabaseError::during("read the deliveries"))?;
            if !rows.is_empty() {
                return Ok(rows.iter().map(Self::from_row).collect());
            }
        }
        Ok(Vec::new())
    }
}

fn select(rest: &str) -> String {
    format!("SELECT {} FROM webhook_logs l {rest}", DeliveryRecord::COLUMNS)
}
