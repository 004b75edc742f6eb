//! `delivery_attempts`: what deliveries went through before their end (rule store-17). What goes well at once leaves no
//! row here.

use std::time::Duration;

use chrono::{DateTime, Utc};
use database::{Error, Statement, Transaction, types::ToSql};
use tokio_postgres::GenericClient;
use uuid::Uuid;

use crate::status::AttemptKind;

/// Something that a delivery went through in a worker.
#[derive(Debug, Clone)]
pub struct Attempt<'a> {
    /// The delivery.
    pub delivery: Uuid,
    /// When it was received: with its id the key of its log row.
    pub received_at: DateTime<Utc>,
    /// Attempts that had failed by then, this one included.
    pub attempt: u32,
    /// What happened.
    pub kind: AttemptKind,
    /// Why: one of the closed list of causes; none where nothing failed.
    pub cause: Option<&'a str>,
    /// Why, in a sentence.
    pub reason: Option<&'a str>,
    /// How soon it is tried again.
    pub delay: Option<Duration>,
    /// How often it had been replayed.
    pub replays: u32,
    /// Who tells it, as `instances::Instance` shows itself.
    pub instance: &'a str,
}

/// What a message that the broker delivers twice went through is noted once. An attempt has its number within one life of a
/// delivery, which ends with its death; a replay begins another. A death is one more than the replays before it: whoever
/// replays marks that only once the broker has confirmed, and the letter may have died again by then.
pub(crate) const RECORD: &str = "
    INSERT INTO delivery_attempts (delivery_id, received_at, at, attempt, kind, cause, reason, next_at, instance)
    SELECT r.delivery_id, r.received_at, moment.at, r.attempt, r.kind, r.cause, r.reason,
           moment.at + make_interval(secs => r.delay), r.instance
    FROM unnest($1::uuid[], $2::timestamptz[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::float8[],
                $8::integer[], $9::text[])
         AS r(delivery_id, received_at, attempt, kind, cause, reason, delay, replays, instance)
    CROSS JOIN (SELECT clock_timestamp() AS at) AS moment
    WHERE CASE r.kind
        WHEN 'dead' THEN r.replays >= (
            SELECT count(*) FROM delivery_attempts a
            WHERE a.received_at = r.received_at AND a.delivery_id = r.delivery_id AND a.kind = 'dead')
        ELSE NOT EXISTS (
            SELECT FROM delivery_attempts a
            WHERE a.received_at = r.received_at AND a.delivery_id = r.delivery_id AND a.kind = r.kind
              AND (a.attempt = r.attempt OR a.kind = 'put_off_first')
              AND a.at > coalesce((
                  SELECT max(death.at) FROM delivery_attempts death
                  WHERE death.received_at = r.received_at AND death.delivery_id = r.delivery_id
                    AND death.kind = 'dead'), '-infinity'))
    END";

/// Notes what deliveries went through, with `statement` made of [`RECORD`]. Within the transaction that wrote their log
/// rows, and holds the locks on them: whoever has a copy of the same message waits, and then sees what was noted.
pub(crate) async fn record(
    transaction: &Transaction<'_>,
    statement: &Statement,
    attempts: &[Attempt<'_>],
) -> Result<u64, Error> {
    if attempts.is_empty() {
        return Ok(0);
    }
    let number = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    let deliveries: Vec<Uuid> = attempts.iter().map(|attempt| attempt.delivery).collect();
    let received_at: Vec<DateTime<Utc>> =
        attempts.iter().map(|attempt| attempt.received_at).collect();
    let numbers: Vec<i32> = attempts.iter().map(|attempt| number(attempt.attempt)).collect();
    let kinds: Vec<&str> = attempts.iter().map(|attempt| attempt.kind.as_str()).collect();
    let causes: Vec<Option<&str>> = attempts.iter().map(|attempt| attempt.cause).collect();
    let reasons: Vec<Option<&str>> = attempts.iter().map(|attempt| attempt.reason).collect();
    let delays: Vec<Option<f64>> =
        attempts.iter().map(|attempt| attempt.delay.map(|delay| delay.as_secs_f64())).collect();
    let replays: Vec<i32> = attempts.iter().map(|attempt| number(attempt.replays)).collect();
    let instances: Vec<&str> = attempts.iter().map(|attempt| attempt.instance).collect();
    let parameters: [&(dyn ToSql + Sync); 9] = [
        &deliveries,
        &received_at,
        &numbers,
        &kinds,
        &causes,
        &reasons,
        &delays,
        &replays,
        &instances,
    ];
    Ok(transaction.execute(statement, &parameters).await?)
}

/// Notes what an operator does with letters, in the transaction that does it: that they are replayed, or open again.
/// One that could not be decoded has no delivery, and no row here. Answers how many were noted.
///
/// # Errors
///
/// Where Postgres does not take it.
pub async fn record_letters(
    client: &impl GenericClient,
    letters: &[Uuid],
    kind: AttemptKind,
    instance: &str,
    operation: Option<Uuid>,
) -> Result<u64, Error> {
    let statement = "
        INSERT INTO delivery_attempts (delivery_id, received_at, attempt, kind, instance, operation_id)
        SELECT id, received_at, attempts, $2, $3, $4 FROM dead_letters
        WHERE id = ANY($1) AND received_at IS NOT NULL AND event_id IS NOT NULL
        ORDER BY id";
    Ok(client.execute(statement, &[&letters, &kind.as_str(), &instance, &operation]).await?)
}
