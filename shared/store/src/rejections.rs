//! The audit of refused deliveries, in `webhook_logs`.

use std::borrow::Cow;

use database::{Client, DatabaseError};
use event::Rejection;
use serde_json::{Value, json};

use crate::{
    log_rows::{LOG_COLUMNS, LOG_ROWS, LogRow, LogRows},
    status::DeliveryStatus,
};

/// Stores what was refused; repeating it changes nothing.
/// `traces` has the id of each one's trace.
pub async fn record(
    client: &Client,
    rejections: &[Rejection],
    traces: &[String],
) -> Result<(), DatabaseError> {
    let rows: LogRows<'_> =
        rejections.iter().zip(traces).map(|(rejection, trace)| row(rejection, trace)).collect();
    client
        .execute(&record_sql(), &rows.parameters())
        .await
        .map(drop)
        .map_err(DatabaseError::during("log refused deliveries"))
}

fn record_sql() -> String {
    format!(
        "INSERT INTO webhook_logs ({LOG_COLUMNS}, processed_at) SELECT r.*, now() FROM {LOG_ROWS}
         ON CONFLICT DO NOTHING"
    )
}

fn row<'a>(rejection: &'a Rejection, trace: &'a str) -> LogRow<'a> {
    LogRow {
        received_at: rejection.received_at,
        id: rejection.delivery_id,
        campus_id: rejection.campus_id,
        // One that names no event can still be told apart, by its delivery.
        event_id: match &rejection.event_id {
            Some(event_id) => Cow::Borrowed(event_id),
            None => Cow::Owned(rejection.delivery_id.to_string()),
        },
        event_type: rejection.event_type.as_deref().unwrap_or("unknown"),
        member_id: rejection.member_id.as_deref(),
        payload: payload(rejection),
        signature_valid: rejection.signature_valid,
        status: DeliveryStatus::Rejected,
        message: None,
        error: Some(&rejection.reason),
        attempts: 0,
        trace_id: Some(trace),
        config_version: None,
    }
}

fn payload(rejection: &Rejection) -> Value {
    json!({
        "event_id": rejection.event_id,
        "event_type": rejection.event_type,
        "campus_id": rejection.campus_id,
        "member_id": rejection.member_id,
    })
}
