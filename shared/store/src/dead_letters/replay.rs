//! From the table back into the work queue.

use chrono::{DateTime, Utc};
use database::{Client, DatabaseError, Transaction};
use serde_json::Value;
use uuid::Uuid;

/// Confirms are awaited inside the transaction, and a publisher gives up on a frozen broker after
/// 15 s: longer than a session may otherwise be idle in a transaction.
const CONFIRM_TIME: &str = "SET LOCAL idle_in_transaction_session_timeout = '30s'";

/// What may be replayed of some letters.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    /// When the run began, by the database's clock. What died later is left for the next run: it
    /// may have been replayed by this one.
    pub before: DateTime<Utc>,
    /// Whether letters are taken too that were replayed already and have come to no end since.
    pub replaying_too: bool,
}

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

impl Claim {
    /// Locks those of `ids` that may be replayed. What another replay holds is left to it, so two
    /// at once never publish the same letter.
    pub async fn lock<'a>(
        &self,
        client: &'a mut Client,
        ids: &[Uuid],
    ) -> Result<Claimed<'a>, DatabaseError> {
        let during = || DatabaseError::during("claim dead letters for a replay");
        let transaction = client.transaction().await.map_err(during())?;
        transaction.batch_execute(CONFIRM_TIME).await.map_err(during())?;
        let rows = transaction
            .query(
                "SELECT id, envelope, replay_count, trace_id FROM dead_letters
                 WHERE id = ANY($1) AND dead_at < $2
                   AND (status = 'open' OR status = 'replaying' AND $3)
                 ORDER BY id FOR UPDATE SKIP LOCKED",
                &[&ids, &self.before, &self.replaying_too],
            )
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
    /// Marks those that the broker has confirmed, and gives the others back. So `replaying` means
    /// that the broker has it; a crash before this leaves the letter `open`, and one message more.
    pub async fn commit(self, confirmed: &[Uuid]) -> Result<(), DatabaseError> {
        let during = || DatabaseError::during("mark dead letters as replaying");
        self.transaction
            .execute(
                "UPDATE dead_letters SET status = 'replaying', replay_count = replay_count + 1,
                     replayed_at = clock_timestamp()
                 WHERE id = ANY($1)",
                &[&confirmed],
            )
            .await
            .map_err(during())?;
        self.transaction.commit().await.map_err(during())
    }
}
