//! From the dead queue into the table.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use database::{DatabaseError, PooledClient, types::ToSql};
use event::{Envelope, History};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    attempts::{self, Attempt},
    log_rows::{LOG_COLUMNS, LOG_ROWS, LogRow, LogRows},
    planning::BY_KEYS_LOCALLY,
    status::{AttemptKind, DeliveryStatus},
};

/// A message from the dead queue.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// The delivery; for a message that could not be decoded, an id made from its bytes.
    pub id: Uuid,
    /// The event, where the message could be decoded.
    pub envelope: Option<Envelope>,
    /// The envelope, or `{"base64": "…"}`, with `schema_version` where a newer program wrote it.
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

/// Puts letters into Postgres, all in one transaction; repeating it changes nothing. `instance` is who does so.
///
/// The log rows are touched first and `dead_letters` in a later statement, as the worker does:
/// otherwise a delivery that succeeds at the same moment could be left `open`. Both statements take
/// their rows in one order, so that collectors with letters in common do not lock each other out.
pub async fn collect(
    client: &mut PooledClient,
    letters: &[&DeadLetter],
    instance: &str,
) -> Result<(), DatabaseError> {
    let letters = once_each(letters);
    write(client, &letters, instance).await.map_err(DatabaseError::during("collect dead letters"))
}

async fn write(
    client: &mut PooledClient,
    letters: &[DeadLetter],
    instance: &str,
) -> Result<(), database::Error> {
    let transaction = client.transaction().await?;
    transaction.batch_execute(BY_KEYS_LOCALLY).await?;
    let log = transaction.prepare_cached(&log_sql()).await?;
    let store = transaction.prepare_cached(&letter_sql()).await?;
    let note = transaction.prepare_cached(attempts::RECORD).await?;
    let logged = write_log(&transaction, &log, letters).await?;
    let deaths: Vec<Attempt<'_>> = letters
        .iter()
        .filter(|letter| logged.contains(&letter.id))
        .filter_map(|letter| letter.death(instance))
        .collect();
    attempts::record(&transaction, &note, &deaths).await?;
    write_letters(&transaction, &store, letters).await?;
    Ok(transaction.commit().await?)
}

/// One row a letter: the one that came last, and the count of the one that was replayed most.
fn once_each(letters: &[&DeadLetter]) -> Vec<DeadLetter> {
    let mut latest: BTreeMap<Uuid, DeadLetter> = BTreeMap::new();
    for letter in letters {
        let mut letter = (*letter).clone();
        if let Some(before) = latest.get(&letter.id) {
            letter.history.replays = letter.history.replays.max(before.history.replays);
        }
        latest.insert(letter.id, letter);
    }
    latest.into_values().collect()
}

/// Answers whose row says now that they are dead: not those of whatever had come to a good end.
async fn write_log(
    transaction: &database::PooledTransaction<'_>,
    statement: &database::Statement,
    letters: &[DeadLetter],
) -> Result<HashSet<Uuid>, database::Error> {
    // What belongs to nobody has no place in the log.
    let rows: LogRows<'_> = letters.iter().filter_map(DeadLetter::log_row).collect();
    let logged = transaction.query(statement, &rows.parameters()).await?;
    Ok(logged.iter().map(|row| row.get(0)).collect())
}

impl DeadLetter {
    fn log_row(&self) -> Option<LogRow<'_>> {
        Some(LogRow {
            error: Some(&self.reason),
            attempts: self.history.failed_attempts(),
            trace_id: self.trace_id.as_deref(),
            ..LogRow::of(self.envelope.as_ref()?, DeliveryStatus::Dead)
        })
    }

    fn death<'a>(&'a self, instance: &'a str) -> Option<Attempt<'a>> {
        Some(Attempt {
            delivery: self.id,
            received_at: self.envelope.as_ref()?.received_at,
            attempt: self.history.failed_attempts(),
            kind: AttemptKind::Dead,
            cause: Some(&self.cause),
            reason: Some(&self.reason),
            delay: None,
            replays: self.history.replays,
            instance,
        })
    }
}

fn log_sql() -> String {
    let ended = DeliveryStatus::sql_list(&DeliveryStatus::FINAL);
    format!(
        "INSERT INTO webhook_logs AS l ({LOG_COLUMNS}, processed_at)
         SELECT r.*, now() FROM {LOG_ROWS}
         ORDER BY r.received_at, r.id
         ON CONFLICT (received_at, id) DO UPDATE SET
             status = excluded.status, message = NULL, error = excluded.error,
             attempts = greatest(l.attempts, excluded.attempts), processed_at = now()
         WHERE l.status NOT IN {ended}
         RETURNING l.id"
    )
}

async fn write_letters(
    transaction: &database::PooledTransaction<'_>,
    statement: &database::Statement,
    letters: &[DeadLetter],
) -> Result<(), database::Error> {
    let envelopes = || letters.iter().map(|letter| letter.envelope.as_ref());
    let ids: Vec<Uuid> = letters.iter().map(|letter| letter.id).collect();
    let event_ids: Vec<Option<&str>> =
        envelopes().map(|event| Some(event?.event_id.as_str())).collect();
    let campuses: Vec<Option<Uuid>> = envelopes().map(|event| Some(event?.campus_id)).collect();
    let event_types: Vec<Option<&str>> =
        envelopes().map(|event| Some(event?.event_type.as_str())).collect();
    let members: Vec<Option<&str>> = envelopes().map(|event| event?.member_id.as_deref()).collect();
    let causes: Vec<&str> = letters.iter().map(|letter| letter.cause.as_str()).collect();
    let reasons: Vec<&str> = letters.iter().map(|letter| letter.reason.as_str()).collect();
    let attempts: Vec<i32> = letters.iter().map(|letter| attempts(&letter.history)).collect();
    let first_failed_at: Vec<Option<DateTime<Utc>>> =
        letters.iter().map(|letter| letter.history.first_failed_at).collect();
    let received_at: Vec<Option<DateTime<Utc>>> =
        envelopes().map(|event| Some(event?.received_at)).collect();
    let bodies: Vec<&Value> = letters.iter().map(|letter| &letter.body).collect();
    let traces: Vec<Option<&str>> =
        letters.iter().map(|letter| letter.trace_id.as_deref()).collect();
    let replays: Vec<i32> = letters
        .iter()
        .map(|letter| i32::try_from(letter.history.replays).unwrap_or(i32::MAX))
        .collect();
    let parameters: [&(dyn ToSql + Sync); 13] = [
        &ids,
        &event_ids,
        &campuses,
        &event_types,
        &members,
        &causes,
        &reasons,
        &attempts,
        &first_failed_at,
        &received_at,
        &bodies,
        &traces,
        &replays,
    ];
    transaction.execute(statement, &parameters).await?;
    Ok(())
}

/// A letter whose delivery came to a good end, or another delivery of the same event since it failed,
/// is resolved, one that an operator discarded stays discarded, and any other is open, however often
/// it was replayed before. One that is resolved already is not touched: its message came twice.
fn letter_sql() -> String {
    let ended = DeliveryStatus::sql_list(&DeliveryStatus::FINAL);
    format!(
        "INSERT INTO dead_letters AS d (id, event_id, campus_id, event_type, member_id, cause, reason,
             attempts, first_failed_at, received_at, envelope, trace_id, replay_count, status, resolved_at)
         SELECT r.id, r.event_id, r.campus_id, r.event_type, r.member_id, r.cause, r.reason,
                r.attempts, r.first_failed_at, r.received_at, r.envelope, r.trace_id, r.replay_count,
                CASE WHEN log.ended THEN 'resolved' ELSE 'open' END,
                CASE WHEN log.ended THEN now() END
         FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[],
                     $8::integer[], $9::timestamptz[], $10::timestamptz[], $11::jsonb[], $12::text[],
                     $13::integer[])
              AS r(id, event_id, campus_id, event_type, member_id, cause, reason,
                   attempts, first_failed_at, received_at, envelope, trace_id, replay_count),
              LATERAL (SELECT EXISTS (
                  SELECT FROM webhook_logs l
                  WHERE l.received_at = r.received_at AND l.id = r.id AND l.status IN {ended})
                  OR EXISTS (
                  SELECT FROM webhook_logs o
                  WHERE o.event_id = r.event_id AND o.campus_id = r.campus_id
                    AND o.event_type = r.event_type AND o.member_id IS NOT DISTINCT FROM r.member_id
                    AND o.id <> r.id AND o.status IN ('processed', 'stale')
                    AND o.processed_at >= r.first_failed_at
                    AND o.received_at BETWEEN now() - interval '2 days' AND now() + interval '1 day')
              ) AS log(ended)
         ORDER BY r.id
         ON CONFLICT (id) DO UPDATE SET
             cause = excluded.cause, reason = excluded.reason, attempts = excluded.attempts,
             first_failed_at = excluded.first_failed_at, trace_id = excluded.trace_id, dead_at = now(),
             status = excluded.status, replay_count = greatest(d.replay_count, excluded.replay_count),
             resolved_at = excluded.resolved_at
         WHERE d.status <> 'discarded' AND NOT (d.status = 'resolved' AND excluded.status = 'resolved')"
    )
}

fn attempts(history: &History) -> i32 {
    i32::try_from(history.failed_attempts()).unwrap_or(i32::MAX)
}
