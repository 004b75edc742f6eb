//! Rows of `webhook_logs`, as every statement that writes some takes them: an array for each column.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use database::types::ToSql;
use event::Envelope;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::status::DeliveryStatus;

/// The columns that a statement inserts, in the order of [`LOG_ROWS`].
pub(crate) const LOG_COLUMNS: &str =
    "received_at, id, campus_id, event_id, event_type, member_id, payload,
    signature_valid, status, message, error, attempts, trace_id, config_version";

/// The rows as a source of a statement, `r`; its parameters are [`LogRows::parameters`].
pub(crate) const LOG_ROWS: &str = "
    unnest($1::timestamptz[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::jsonb[],
           $8::boolean[], $9::text[], $10::text[], $11::text[], $12::integer[], $13::text[], $14::bigint[])
        AS r(received_at, id, campus_id, event_id, event_type, member_id, payload,
             signature_valid, status, message, error, attempts, trace_id, config_version)";

/// One row.
pub(crate) struct LogRow<'a> {
    pub(crate) received_at: DateTime<Utc>,
    /// The delivery.
    pub(crate) id: Uuid,
    pub(crate) campus_id: Uuid,
    pub(crate) event_id: Cow<'a, str>,
    pub(crate) event_type: &'a str,
    pub(crate) member_id: Option<&'a str>,
    /// The fields that may be kept of it.
    pub(crate) payload: Value,
    pub(crate) signature_valid: bool,
    pub(crate) status: DeliveryStatus,
    pub(crate) message: Option<&'a str>,
    pub(crate) error: Option<&'a str>,
    pub(crate) attempts: u32,
    pub(crate) trace_id: Option<&'a str>,
    pub(crate) config_version: Option<i64>,
}

impl<'a> LogRow<'a> {
    /// The row of an accepted delivery, of which nothing was tried yet.
    pub(crate) fn of(event: &'a Envelope, status: DeliveryStatus) -> Self {
        Self {
            received_at: event.received_at,
            id: event.delivery_id,
            campus_id: event.campus_id,
            event_id: Cow::Borrowed(&event.event_id),
            event_type: event.event_type.as_str(),
            member_id: event.member_id.as_deref(),
            payload: payload(event),
            signature_valid: true,
            status,
            message: None,
            error: None,
            attempts: 0,
            trace_id: None,
            config_version: None,
        }
    }
}

/// Many rows, column by column.
#[derive(Default)]
pub(crate) struct LogRows<'a> {
    received_at: Vec<DateTime<Utc>>,
    ids: Vec<Uuid>,
    campuses: Vec<Uuid>,
    event_ids: Vec<Cow<'a, str>>,
    event_types: Vec<&'a str>,
    members: Vec<Option<&'a str>>,
    payloads: Vec<Value>,
    signatures: Vec<bool>,
    statuses: Vec<&'static str>,
    messages: Vec<Option<&'a str>>,
    errors: Vec<Option<&'a str>>,
    attempts: Vec<i32>,
    traces: Vec<Option<&'a str>>,
    versions: Vec<Option<i64>>,
}

impl LogRows<'_> {
    /// The parameters of [`LOG_ROWS`].
    pub(crate) fn parameters(&self) -> [&(dyn ToSql + Sync); 14] {
        [
            &self.received_at,
            &self.ids,
            &self.campuses,
            &self.event_ids,
            &self.event_types,
            &self.members,
            &self.payloads,
            &self.signatures,
            &self.statuses,
            &self.messages,
            &self.errors,
            &self.attempts,
            &self.traces,
            &self.versions,
        ]
    }
}

impl<'a> FromIterator<LogRow<'a>> for LogRows<'a> {
    fn from_iter<I: IntoIterator<Item = LogRow<'a>>>(rows: I) -> Self {
        let mut all = Self::default();
        for row in rows {
            all.received_at.push(row.received_at);
            all.ids.push(row.id);
            all.campuses.push(row.campus_id);
            all.event_ids.push(row.event_id);
            all.event_types.push(row.event_type);
            all.members.push(row.member_id);
            all.payloads.push(row.payload);
            all.signatures.push(row.signature_valid);
            all.statuses.push(row.status.as_str());
            all.messages.push(row.message);
            all.errors.push(row.error);
            all.attempts.push(i32::try_from(row.attempts).unwrap_or(i32::MAX));
            all.traces.push(row.trace_id);
            all.versions.push(row.config_version);
        }
        all
    }
}

/// The allow-listed fields, as far as the envelope has them.
fn payload(event: &Envelope) -> Value {
    json!({
        "event_id": event.event_id,
        "event_type": event.event_type,
        "campus_id": event.campus_id,
        "member_id": event.member_id,
        "timestamp": event.occurred_at,
    })
}
