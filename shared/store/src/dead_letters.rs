//! `dead_letters`: what the collector puts there (CORRECTNESS §7).

use chrono::{DateTime, Utc};
use database::{Client, DatabaseError};
use event::{Envelope, History};
use serde_json::Value;
use uuid::Uuid;

use crate::delivery_log::{ABSORBING, payload};

/// A message from the dead queue.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// The delivery; for a message that could not be decoded, an id made from its bytes.
    pub id: Uuid,
    /// The event, where the message could be decoded.
    pub envelope: Option<Envelope>,
    /// The envelope, or `{"base64": "…"}`.
    pub body: Value,
    /// One of the closed list of causes.
    pub cause: String,
    /// A sentence.
    pub reason: String,
    /// What was tried.
    pub history: History,
    /// The trace it belongs to.
    pub trace_id: Option<String>,
}

/// Puts a letter into Postgres; repeating it changes nothing.
///
/// The log row is touched first and `dead_letters` in a later statement, as the worker does:
/// otherwise a delivery that succeeds at the same moment could be left `open`.
pub async fn collect(client: &mut Client, letter: &DeadLetter) -> Result<(), DatabaseError> {
    let transaction = client
        .transaction()
        .await
        .map_err(DatabaseError::during("begin to collect a dead letter"))?;
    let ended = match &letter.envelope {
        None => false,
        Some(envelope) => {
            let attempts = attempts(&letter.history);
            transaction
                .execute(
                    &log_sql(),
                    &[
                        &envelope.received_at,
                        &envelope.delivery_id,
                        &envelope.campus_id,
                        &envelope.event_id,
                        &envelope.event_type.as_str(),
                        &envelope.member_id,
                        &payload(envelope),
                        &letter.reason,
                        &attempts,
                        &letter.trace_id,
                    ],
                )
                .await
                .map_err(DatabaseError::during("log a dead delivery"))?;
            let row = transaction
                .query_one(
                    &format!(
                        "SELECT status IN {ABSORBING} FROM webhook_logs WHERE received_at = $1 AND id = $2"
                    ),
                    &[&envelope.received_at, &envelope.delivery_id],
                )
                .await
                .map_err(DatabaseError::during("read a dead delivery's log"))?;
            row.get(0)
        }
    };
    let envelope = letter.envelope.as_ref();
    let status = if ended { "resolved" } else { "open" };
    let replays = i32::try_from(letter.history.replays).unwrap_or(i32::MAX);
    let received_at: Option<DateTime<Utc>> = envelope.map(|envelope| envelope.received_at);
    transaction
        .execute(
            LETTER,
            &[
                &letter.id,
                &envelope.map(|e| &e.event_id),
                &envelope.map(|e| e.campus_id),
                &envelope.map(|e| e.event_type.as_str()),
                &envelope.and_then(|e| e.member_id.as_deref()),
                &letter.cause,
                &letter.reason,
                &attempts(&letter.history),
                &letter.history.first_failed_at,
                &received_at,
                &letter.body,
                &letter.trace_id,
                &status,
                &replays,
            ],
        )
        .await
        .map_err(DatabaseError::during("store a dead letter"))?;
    transaction.commit().await.map_err(DatabaseError::during("commit a dead letter"))
}

fn attempts(history: &History) -> i32 {
    i32::try_from(history.failed_attempts()).unwrap_or(i32::MAX)
}

fn log_sql() -> String {
    format!(
        "INSERT INTO webhook_logs AS l (received_at, id, campus_id, event_id, event_type, member_id,
             payload, signature_valid, status, error, attempts, trace_id, processed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, true, 'dead', $8, $9, $10, now())
         ON CONFLICT (received_at, id) DO UPDATE SET
             status = 'dead', message = NULL, error = excluded.error,
             attempts = greatest(l.attempts, excluded.attempts), processed_at = now()
         WHERE l.status NOT IN {ABSORBING}"
    )
}

/// A letter that an operator discarded stays discarded; one that dies again is open again.
const LETTER: &str = "
    INSERT INTO dead_letters AS d (id, event_id, campus_id, event_type, member_id, cause, reason,
        attempts, first_failed_at, received_at, envelope, trace_id, status, replay_count, resolved_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
            CASE WHEN $13 = 'resolved' THEN now() END)
    ON CONFLICT (id) DO UPDATE SET
        cause = excluded.cause, reason = excluded.reason, attempts = excluded.attempts,
        first_failed_at = excluded.first_failed_at, trace_id = excluded.trace_id, dead_at = now(),
        status = excluded.status, replay_count = greatest(d.replay_count, excluded.replay_count),
        resolved_at = excluded.resolved_at
    WHERE d.status <> 'discarded'";
