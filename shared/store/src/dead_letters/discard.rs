//! Giving letters up, and taking that back.

use chrono::{DateTime, Utc};
use database::{Client, DatabaseError, Row, Transaction};
use uuid::Uuid;

use super::selection::{LetterKey, LetterSelection, were_so_before};
use crate::{
    AttemptKind, attempts,
    operations::{Lease, LeaseError, Progress},
    planning::BY_KEYS_LOCALLY,
    status::DeliveryStatus,
};

/// What becomes of letters and of their log rows.
struct Change {
    /// What is being done, for an error.
    operation: &'static str,
    /// Of a log row: $3 is the note.
    log: String,
    /// Of a letter: $2 is the note.
    letter: &'static str,
    /// What that is in the trail of their deliveries.
    attempt: Option<AttemptKind>,
}

/// Discards those of the letters of `keys` that can be taken still, and says so in the log of their
/// deliveries, with the note. Answers how many; what a replay holds at this moment is not among them.
///
/// # Errors
///
/// Where the lease on the operation is lost, or Postgres does not do it.
pub async fn discard(
    client: &mut Client,
    selection: &LetterSelection,
    keys: &[LetterKey],
    note: &str,
    lease: &Lease,
) -> Result<i64, LeaseError> {
    let change = Change {
        operation: "discard dead letters",
        log: format!(
            "UPDATE webhook_logs l SET status = 'discarded', message = $3, processed_at = now()
             FROM unnest($1::timestamptz[], $2::uuid[]) AS k(received_at, id)
             WHERE l.received_at = k.received_at AND l.id = k.id AND l.status NOT IN {}",
            DeliveryStatus::sql_list(&DeliveryStatus::FINAL)
        ),
        letter: "UPDATE dead_letters SET status = 'discarded', discarded_at = clock_timestamp(), note = $2, operation_id = $3
                 WHERE id = ANY($1)",
        attempt: None,
    };
    change.make(client, selection, keys, note, lease).await
}

/// Opens those of the letters of `keys` again that were discarded; their deliveries are `dead` again, without the note.
/// Answers how many.
///
/// # Errors
///
/// Where the lease on the operation is lost, or Postgres does not do it.
pub async fn restore(
    client: &mut Client,
    selection: &LetterSelection,
    keys: &[LetterKey],
    lease: &Lease,
) -> Result<i64, LeaseError> {
    let change = Change {
        operation: "restore dead letters",
        log: "UPDATE webhook_logs l SET status = 'dead', message = nullif($3, ''), processed_at = now()
              FROM unnest($1::timestamptz[], $2::uuid[]) AS k(received_at, id)
              WHERE l.received_at = k.received_at AND l.id = k.id AND l.status = 'discarded'"
            .to_owned(),
        letter: "UPDATE dead_letters SET status = 'open', discarded_at = NULL, note = nullif($2, ''), operation_id = $3,
                     opened_at = clock_timestamp() WHERE id = ANY($1)",
        attempt: Some(AttemptKind::Reopened),
    };
    change.make(client, selection, keys, "", lease).await
}

impl Change {
    /// Log rows are locked before letters, as the worker and the collector do: a delivery that comes
    /// to a good end at the same moment is either changed or done, in both tables.
    async fn make(
        &self,
        client: &mut Client,
        selection: &LetterSelection,
        keys: &[LetterKey],
        note: &str,
        lease: &Lease,
    ) -> Result<i64, LeaseError> {
        let during = || DatabaseError::during(self.operation);
        let transaction = client.transaction().await.map_err(during())?;
        transaction.batch_execute(BY_KEYS_LOCALLY).await.map_err(during())?;
        lock_log(&transaction, keys).await.map_err(DatabaseError::during(self.operation))?;
        let ids: Vec<Uuid> = keys.iter().map(|key| key.id).collect();
        let statement = format!(
            "SELECT d.id, d.received_at FROM dead_letters d
             WHERE d.id = ANY($1) AND {} AND d.status = ANY($3) AND d.operation_id IS DISTINCT FROM $4
             ORDER BY d.id FOR UPDATE SKIP LOCKED",
            were_so_before("$2")
        );
        let letters = transaction
            .query(
                &statement,
                &[&ids, &selection.before(), &selection.statuses(), &selection.operation()],
            )
            .await
            .map_err(during())?;
        let (ids, received_at) = log_keys(&letters);
        transaction.execute(&self.log, &[&received_at, &ids, &note]).await.map_err(during())?;
        let changed = transaction
            .execute(self.letter, &[&ids, &note, &lease.operation])
            .await
            .map_err(during())?;
        if let Some(kind) = self.attempt {
            let (instance, operation) = (&lease.shown, Some(lease.operation));
            attempts::record_letters(&transaction, &ids, kind, instance, operation)
                .await
                .map_err(DatabaseError::during(self.operation))?;
        }
        let done = i64::try_from(changed).unwrap_or(i64::MAX);
        lease.advance(&transaction, &Progress { done, ..Progress::default() }).await?;
        transaction.commit().await.map_err(during())?;
        Ok(done)
    }
}

async fn lock_log(
    transaction: &Transaction<'_>,
    keys: &[LetterKey],
) -> Result<(), database::Error> {
    let ids: Vec<Uuid> = keys.iter().map(|key| key.id).collect();
    let letters = transaction
        .query("SELECT id, received_at FROM dead_letters WHERE id = ANY($1)", &[&ids])
        .await?;
    let (ids, received_at) = log_keys(&letters);
    transaction
        .execute(
            "SELECT FROM unnest($1::timestamptz[], $2::uuid[]) AS k(received_at, id)
                 JOIN webhook_logs l ON l.received_at = k.received_at AND l.id = k.id
             ORDER BY l.received_at, l.id FOR UPDATE OF l",
            &[&received_at, &ids],
        )
        .await?;
    Ok(())
}

/// The keys of the letters' log rows; one that could not be decoded has none.
fn log_keys(letters: &[Row]) -> (Vec<Uuid>, Vec<Option<DateTime<Utc>>>) {
    letters
        .iter()
        .map(|row| -> (Uuid, Option<DateTime<Utc>>) { (row.get("id"), row.get("received_at")) })
        .unzip()
}
