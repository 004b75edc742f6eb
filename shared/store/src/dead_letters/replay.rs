//! From the table back into the work queue.

use database::{Client, DatabaseError, Transaction};
use serde_json::Value;
use uuid::Uuid;

use super::selection::{LetterKey, LetterSelection, were_so_before};
use crate::{
    AttemptKind, attempts,
    operations::{Lease, LeaseError, Progress},
};

/// Confirms are awaited inside the transaction, and a publisher gives up on a frozen broker after
/// 15 s: longer than a session may otherwise be idle in a transaction.
const CONFIRM_TIME: &str = "SET LOCAL idle_in_transaction_session_timeout = '30s'";

/// Letters that are locked for a replay. Dropping it, or losing the session, leaves them as they
/// were.
pub struct Claimed<'a> {
    transaction: Transaction<'a>,
    /// The letters, in the order of their ids.
    pub letters: Vec<Replayable>,
}

/// A letter that may be published again.
#[derive(Debug, Clone)]
pub struct Replayable {
    /// The delivery.
    pub id: Uuid,
    /// The envelope.
    pub envelope: Value,
    /// How often it was replayed before.
    pub replay_count: u32,
    /// The trace it belongs to.
    pub trace_id: Option<String>,
}

impl LetterSelection {
    /// Locks those of the letters of `keys` that can be taken still. What somebody else holds is left, so two
    /// at once never publish the same letter.
    ///
    /// # Errors
    ///
    /// Where Postgres does not do it.
    pub async fn lock<'a>(
        &self,
        client: &'a mut Client,
        keys: &[LetterKey],
    ) -> Result<Claimed<'a>, DatabaseError> {
        let during = || DatabaseError::during("claim dead letters for a replay");
        let ids: Vec<Uuid> = keys.iter().map(|key| key.id).collect();
        let transaction = client.transaction().await.map_err(during())?;
        transaction.batch_execute(CONFIRM_TIME).await.map_err(during())?;
        let statement = format!(
            "SELECT d.id, d.envelope, d.replay_count, d.trace_id FROM dead_letters d
             WHERE d.id = ANY($1) AND {} AND d.status = ANY($3) AND d.operation_id IS DISTINCT FROM $4
             ORDER BY d.id FOR UPDATE SKIP LOCKED",
            were_so_before("$2")
        );
        let rows = transaction
            .query(&statement, &[&ids, &self.before(), &self.statuses(), &self.operation()])
            .await
            .map_err(during())?;
        let letter = |row: &database::Row| Replayable {
            id: row.get("id"),
            envelope: row.get("envelope"),
            replay_count: u32::try_from(row.get::<_, i32>("replay_count")).unwrap_or(0),
            trace_id: row.get("trace_id"),
        };
        Ok(Claimed { letters: rows.iter().map(letter).collect(), transaction })
    }
}

impl Claimed<'_> {
    /// Marks those that the broker has confirmed, counts them, and gives the others back. So `replaying` means
    /// that the broker has it; a crash before this leaves the letter `open`, and one message more.
    ///
    /// # Errors
    ///
    /// Where the lease on the operation is lost, or Postgres does not do it.
    pub async fn commit(
        self,
        confirmed: &[Uuid],
        lease: &Lease,
        progress: &Progress,
    ) -> Result<(), LeaseError> {
        let during = || DatabaseError::during("mark dead letters as replaying");
        self.transaction
            .execute(
                "UPDATE dead_letters SET status = 'replaying', replay_count = replay_count + 1,
                     replayed_at = clock_timestamp(), operation_id = $2
                 WHERE id = ANY($1)",
                &[&confirmed, &lease.operation],
            )
            .await
            .map_err(during())?;
        attempts::record_letters(
            &self.transaction,
            confirmed,
            AttemptKind::Replayed,
            &lease.shown,
            Some(lease.operation),
        )
        .await
        .map_err(DatabaseError::during("note the replay of dead letters"))?;
        lease.advance(&self.transaction, progress).await?;
        Ok(self.transaction.commit().await.map_err(during())?)
    }
}
