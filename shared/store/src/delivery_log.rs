//! `webhook_logs`: one row a delivery, updated in place to its end.

use std::{
    collections::{HashMap, hash_map},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use database::{Client, Error, Statement, Transaction};
use event::Envelope;
use uuid::Uuid;

use crate::{
    attempts::{self, Attempt},
    log_rows::{LOG_COLUMNS, LOG_ROWS, LogRow, LogRows},
    status::{AttemptKind, DeliveryStatus},
};

/// Whether another delivery of the event `$of` makes it a duplicate: one that is done, or that the
/// sync filter kept out as it is now. Under another configuration the same event may let the member in.
pub(crate) fn duplicate_sql(of: &str, present_version: &str) -> String {
    format!(
        "EXISTS (SELECT FROM webhook_logs o
                 WHERE o.event_id = {of}.event_id AND o.campus_id = {of}.campus_id
                   AND o.event_type = {of}.event_type AND o.member_id IS NOT DISTINCT FROM {of}.member_id
                   AND o.id <> {of}.id
                   AND (o.status IN ('processed', 'stale')
                        OR o.status = 'filtered' AND o.config_version = {present_version})
                   AND o.received_at BETWEEN now() - interval '2 days' AND now() + interval '1 day')"
    )
}

/// A delivery, as its log row tells it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What was delivered.
    pub envelope: Arc<Envelope>,
    /// Attempts made, this one included.
    pub attempts: u32,
    /// The trace that the event belongs to.
    pub trace_id: Option<String>,
}

/// One row to write.
#[derive(Debug, Clone)]
pub struct LogLine {
    /// The delivery.
    pub entry: Entry,
    /// Where it stands now.
    pub status: DeliveryStatus,
    /// What happened, for people.
    pub message: Option<String>,
    /// Why it failed, where it did; never with anything personal.
    pub error: Option<String>,
    /// The configuration that it was decided under, where that played a part.
    pub config_version: Option<i64>,
    /// What is noted of it beside the row, where it did not go well.
    pub attempt: Option<AttemptNote>,
}

/// What a delivery went through, beside what its log row says of that.
#[derive(Debug, Clone)]
pub struct AttemptNote {
    /// What happened.
    pub kind: AttemptKind,
    /// Why, from the closed list of causes; none where nothing failed.
    pub cause: Option<&'static str>,
    /// How soon it is tried again.
    pub delay: Duration,
    /// How often it had been replayed.
    pub replays: u32,
    /// Who tells it.
    pub instance: Arc<str>,
}

impl LogLine {
    fn row(&self) -> LogRow<'_> {
        LogRow {
            message: self.message.as_deref(),
            error: self.error.as_deref(),
            attempts: self.entry.attempts,
            trace_id: self.entry.trace_id.as_deref(),
            config_version: self.config_version,
            ..LogRow::of(&self.entry.envelope, self.status)
        }
    }

    fn attempt(&self) -> Option<Attempt<'_>> {
        let note = self.attempt.as_ref()?;
        Some(Attempt {
            delivery: self.entry.envelope.delivery_id,
            received_at: self.entry.envelope.received_at,
            attempt: self.entry.attempts,
            kind: note.kind,
            cause: note.cause,
            reason: self.error.as_deref(),
            delay: Some(note.delay),
            replays: note.replays,
            instance: &note.instance,
        })
    }
}

pub(crate) struct LogStatements {
    upsert: Statement,
    attempts: Statement,
    unresolved: Statement,
    resolve: Statement,
}

impl LogStatements {
    pub(crate) async fn prepare(client: &Client) -> Result<Self, Error> {
        Ok(Self {
            upsert: client.prepare(&upsert_sql()).await?,
            attempts: client.prepare(attempts::RECORD).await?,
            unresolved: client.prepare(UNRESOLVED).await?,
            resolve: client.prepare(RESOLVE).await?,
        })
    }
}

/// Writes rows that are not at their end yet. Whether a row is a duplicate is decided here, in a
/// statement younger than the lock on its member: two workers with duplicates of one event take turns
/// at that lock, and the second sees the first's row.
fn upsert_sql() -> String {
    // The write transaction holds the configuration: that of the read is the present one.
    let duplicate = duplicate_sql("r", "r.config_version");
    let done = DeliveryStatus::sql_list(&DeliveryStatus::DONE);
    let ended = DeliveryStatus::sql_list(&DeliveryStatus::FINAL);
    format!(
        "INSERT INTO webhook_logs AS l ({LOG_COLUMNS}, processed_at)
         SELECT r.received_at, r.id, r.campus_id, r.event_id, r.event_type, r.member_id, r.payload,
                r.signature_valid,
                CASE WHEN duplicate.found THEN 'duplicate' ELSE r.status END,
                CASE WHEN duplicate.found THEN '{DUPLICATE}' ELSE r.message END,
                r.error, r.attempts, r.trace_id, r.config_version,
                CASE WHEN r.status = 'retrying' THEN NULL ELSE clock_timestamp() END
         FROM {LOG_ROWS},
              LATERAL (SELECT r.status IN {done} AND {duplicate}) AS duplicate(found)
         ORDER BY r.received_at, r.id
         ON CONFLICT (received_at, id) DO UPDATE SET
             status = excluded.status, message = excluded.message, error = excluded.error,
             attempts = excluded.attempts, processed_at = excluded.processed_at,
             config_version = excluded.config_version
         WHERE l.status NOT IN {ended}
         RETURNING l.id, l.status"
    )
}

/// The message of a duplicate.
pub(crate) const DUPLICATE: &str = "Duplicate of an event that was processed before";

/// The letters of these deliveries, and of other deliveries of the same events, locked in the order of
/// their ids. The lock keeps the lookup apart for each id: asked for all at once, Postgres may go by the
/// index on `status`, and read every open letter for each batch. Copies are looked for while there is
/// any letter at all that waits.
const UNRESOLVED: &str = "
    SELECT d.id
    FROM (SELECT k.id FROM unnest($1::uuid[]) AS k(id)
          UNION
          SELECT copy.id
          FROM unnest($2::text[], $3::uuid[], $4::text[], $5::text[])
               AS e(event_id, campus_id, event_type, member_id)
          CROSS JOIN LATERAL (
              SELECT id FROM dead_letters
              WHERE event_id = e.event_id AND campus_id = e.campus_id AND event_type = e.event_type
                AND member_id IS NOT DISTINCT FROM e.member_id
              OFFSET 0) AS copy
          WHERE EXISTS (SELECT FROM dead_letters WHERE status IN ('open', 'replaying'))
          ORDER BY id) AS k
    CROSS JOIN LATERAL (
        SELECT id FROM dead_letters WHERE id = k.id AND status IN ('open', 'replaying')
        FOR NO KEY UPDATE) AS d";

const RESOLVE: &str =
    "UPDATE dead_letters SET status = 'resolved', resolved_at = now() WHERE id = ANY($1)";

/// How deliveries stand after a write; those that had come to their end before are not among them.
pub(crate) type Written = HashMap<Uuid, DeliveryStatus>;

/// Writes the rows, then resolves the dead letters of those that came to a good end, and notes what the others went
/// through: a statement that is sent only where something did not go well.
pub(crate) async fn write(
    transaction: &Transaction<'_>,
    statements: &LogStatements,
    lines: &[LogLine],
) -> Result<Written, Error> {
    if lines.is_empty() {
        return Ok(Written::new());
    }
    let lines = one_line_each(lines);
    let rows: LogRows<'_> = lines.iter().map(|line| line.row()).collect();
    let parameters = rows.parameters();
    let upsert = async { Ok(transaction.query(&statements.upsert, &parameters).await?) };
    let ended: Vec<&Envelope> = lines
        .iter()
        .filter(|line| line.status.is_end() && line.status != DeliveryStatus::Dead)
        .map(|line| &*line.entry.envelope)
        .collect();
    let (rows, ()) =
        futures_util::future::try_join(upsert, resolve(transaction, statements, &ended)).await?;
    let written: Written = rows
        .iter()
        .filter_map(|row| Some((row.get(0), DeliveryStatus::parse(row.get(1))?)))
        .collect();
    let attempts: Vec<Attempt<'_>> = lines
        .iter()
        .filter_map(|line| line.attempt())
        .filter(|attempt| written.contains_key(&attempt.delivery))
        .collect();
    attempts::record(transaction, &statements.attempts, &attempts).await?;
    Ok(written)
}

/// A letter whose delivery came to a good end is no longer open (rule store-13), nor is that
/// of another delivery of the same event.
async fn resolve(
    transaction: &Transaction<'_>,
    statements: &LogStatements,
    ended: &[&Envelope],
) -> Result<(), Error> {
    if ended.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = ended.iter().map(|event| event.delivery_id).collect();
    let event_ids: Vec<&str> = ended.iter().map(|event| event.event_id.as_str()).collect();
    let campuses: Vec<Uuid> = ended.iter().map(|event| event.campus_id).collect();
    let event_types: Vec<&str> = ended.iter().map(|event| event.event_type.as_str()).collect();
    let members: Vec<Option<&str>> = ended.iter().map(|event| event.member_id.as_deref()).collect();
    let letters: Vec<Uuid> = transaction
        .query(&statements.unresolved, &[&ids, &event_ids, &campuses, &event_types, &members])
        .await?
        .iter()
        .map(|row| row.get(0))
        .collect();
    if !letters.is_empty() {
        transaction.execute(&statements.resolve, &[&letters]).await?;
    }
    Ok(())
}

/// One line a delivery. Copies of a delivery, which the broker has when a confirm was lost on its
/// way, may stand in one batch, and Postgres refuses to write one row twice in one statement. An end
/// counts more than a failure, whatever their order: the copy that was done is done.
fn one_line_each(lines: &[LogLine]) -> Vec<&LogLine> {
    let rank = |line: &LogLine| match line.status {
        DeliveryStatus::Retrying => 0,
        DeliveryStatus::Dead => 1,
        _ => 2,
    };
    let mut places: HashMap<(DateTime<Utc>, Uuid), usize> = HashMap::with_capacity(lines.len());
    let mut kept: Vec<&LogLine> = Vec::with_capacity(lines.len());
    for line in lines {
        let event = &line.entry.envelope;
        match places.entry((event.received_at, event.delivery_id)) {
            hash_map::Entry::Occupied(place) => {
                let kept = &mut kept[*place.get()];
                if rank(line) > rank(kept) {
                    *kept = line;
                }
            }
            hash_map::Entry::Vacant(place) => {
                place.insert(kept.len());
                kept.push(line);
            }
        }
    }
    kept
}
