//! The audit of refused deliveries, in `webhook_logs`.

use chrono::{DateTime, Utc};
use database::{Client, DatabaseError, types::ToSql};
use event::Rejection;
use serde_json::{Value, json};
use uuid::Uuid;

/// Stores what was refused; repeating it changes nothing.
/// `traces` has the id of each one's trace.
pub async fn record(
    client: &Client,
    rejections: &[Rejection],
    traces: &[String],
) -> Result<(), DatabaseError> {
    let received_at: Vec<DateTime<Utc>> = rejections.iter().map(|one| one.received_at).collect();
    let ids: Vec<Uuid> = rejections.iter().map(|one| one.delivery_id).collect();
    let campuses: Vec<Uuid> = rejections.iter().map(|one| one.campus_id).collect();
    // One that names no event can still be told apart, by its delivery.
    let event_ids: Vec<String> = rejections
        .iter()
        .map(|one| one.event_id.clone().unwrap_or_else(|| one.delivery_id.to_string()))
        .collect();
    let event_types: Vec<&str> =
        rejections.iter().map(|one| one.event_type.as_deref().unwrap_or("unknown")).collect();
    let members: Vec<Option<&str>> =
        rejections.iter().map(|one| one.member_id.as_deref()).collect();
    let payloads: Vec<Value> = rejections.iter().map(payload).collect();
    let signatures: Vec<bool> = rejections.iter().map(|one| one.signature_valid).collect();
    let errors: Vec<&str> = rejections.iter().map(|one| one.reason.as_str()).collect();
    let parameters: [&(dyn ToSql + Sync); 10] = [
        &received_at,
        &ids,
        &campuses,
        &event_ids,
        &event_types,
        &members,
        &payloads,
        &signatures,
        &errors,
        &traces,
    ];
    client
        .execute(RECORD, &parameters)
        .await
        .map(drop)
        .map_err(DatabaseError::during("log refused deliveries"))
}

const RECORD: &str = "
    INSERT INTO webhook_logs (received_at, id, campus_id, event_id, event_type, member_id, payload,
                              signature_valid, status, error, attempts, trace_id, processed_at)
    SELECT r.received_at, r.id, r.campus_id, r.event_id, r.event_type, r.member_id, r.payload,
           r.signature_valid, 'rejected', r.error, 0, r.trace_id, now()
    FROM unnest($1::timestamptz[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[],
                $7::jsonb[], $8::boolean[], $9::text[], $10::text[])
         AS r(received_at, id, campus_id, event_id, event_type, member_id, payload,
              signature_valid, error, trace_id)
    ON CONFLICT DO NOTHING";

fn payload(rejection: &Rejection) -> Value {
    json!({
        "event_id": rejection.event_id,
        "event_type": rejection.event_type,
        "campus_id": rejection.campus_id,
        "member_id": rejection.member_id,
    })
}
