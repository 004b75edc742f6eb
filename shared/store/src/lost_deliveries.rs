//! Ending deliveries whose events were lost with their queue: nothing else would ever end them.

use chrono::{DateTime, Utc};
use database::{Client, DatabaseError, Error, types::ToSql};
use tokio_postgres::GenericClient;
use uuid::Uuid;

/// Rows a statement.
const BATCH: i64 = 500;

/// Which deliveries: those of which all that is given holds.
#[derive(Debug, Clone)]
pub struct LostDeliveries {
    /// Of this campus.
    pub campus: Option<Uuid>,
    /// Received since.
    pub since: Option<DateTime<Utc>>,
    /// Received before.
    pub until: DateTime<Utc>,
}

/// What is `retrying`. Not what an operator replays: its letter is there still, and can be replayed again.
const LOST: &str = "
    l.status = 'retrying' AND l.received_at < $1
    AND ($2::timestamptz IS NULL OR l.received_at >= $2) AND ($3::uuid IS NULL OR l.campus_id = $3)
    AND NOT EXISTS (SELECT FROM dead_letters d WHERE d.id = l.id AND d.status IN ('open', 'replaying'))";

impl LostDeliveries {
    /// How many there are.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn count(&self, client: &Client) -> Result<u64, DatabaseError> {
        let count = format!("SELECT count(*) FROM webhook_logs l WHERE {LOST}");
        let row = client
            .query_one(&count, &[&self.until, &self.since, &self.campus])
            .await
            .map_err(DatabaseError::during("count lost deliveries"))?;
        Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or(0))
    }

    /// Discards some of them, with `note` as their message; answers how many, none when there are no more.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn discard_some(
        &self,
        client: &impl GenericClient,
        note: &str,
    ) -> Result<u64, Error> {
        let discard = format!(
            "WITH lost AS (SELECT l.received_at, l.id FROM webhook_logs l WHERE {LOST}
                           ORDER BY l.received_at, l.id LIMIT $5 FOR UPDATE)
             UPDATE webhook_logs l SET status = 'discarded', message = $4, processed_at = now()
             FROM lost WHERE l.received_at = lost.received_at AND l.id = lost.id"
        );
        let parameters: [&(dyn ToSql + Sync); 5] =
            [&self.until, &self.since, &self.campus, &note, &BATCH];
        Ok(client.execute(&discard, &parameters).await?)
    }
}
