//! Giving letters up.

use chrono::{DateTime, Utc};
use database::{Client, DatabaseError, Row};
use uuid::Uuid;

use crate::{planning::BY_KEYS_LOCALLY, status::DeliveryStatus};

/// Discards those of `ids` that are `open` since before `before`, and says so in the log of their
/// deliveries. Answers how many; what a replay holds at this moment is not among them.
///
/// Log rows are locked before letters, as the worker and the collector do: a delivery that comes
/// to a good end at the same moment is either discarded or done, in both tables.
pub async fn discard(
    client: &mut Client,
    ids: &[Uuid],
    before: DateTime<Utc>,
    note: &str,
) -> Result<u64, DatabaseError> {
    let during = || DatabaseError::during("discard dead letters");
    let transaction = client.transaction().await.map_err(during())?;
    transaction.batch_execute(BY_KEYS_LOCALLY).await.map_err(during())?;
    let letters = transaction
        .query("SELECT id, received_at FROM dead_letters WHERE id = ANY($1)", &[&ids])
        .await
        .map_err(during())?;
    let (ids, received_at) = keys(&letters);
    transaction
        .execute(
            "SELECT FROM unnest($1::timestamptz[], $2::uuid[]) AS k(received_at, id)
                 JOIN webhook_logs l ON l.received_at = k.received_at AND l.id = k.id
             ORDER BY l.received_at, l.id FOR UPDATE OF l",
            &[&received_at, &ids],
        )
        .await
        .map_err(during())?;
    let open = transaction
        .query(
            "SELECT id, received_at FROM dead_letters
             WHERE id = ANY($1) AND status = 'open' AND dead_at < $2
             ORDER BY id FOR UPDATE SKIP LOCKED",
            &[&ids, &before],
        )
        .await
        .map_err(during())?;
    let (ids, received_at) = keys(&open);
    transaction
        .execute(
            &format!(
                "UPDATE webhook_logs l SET status = 'discarded', message = $3, processed_at = now()
                 FROM unnest($1::timestamptz[], $2::uuid[]) AS k(received_at, id)
                 WHERE l.received_at = k.received_at AND l.id = k.id AND l.status NOT IN {}",
                DeliveryStatus::sql_list(&DeliveryStatus::FINAL)
            ),
            &[&received_at, &ids, &note],
        )
        .await
        .map_err(during())?;
    let discarded = transaction
        .execute(
            "UPDATE dead_letters SET status = 'discarded', note = $2 WHERE id = ANY($1)",
            &[&ids, &note],
        )
        .await
        .map_err(during())?;
    transaction.commit().await.map_err(during())?;
    Ok(discarded)
}

/// The keys of the letters' log rows; one that could not be decoded has none.
fn keys(letters: &[Row]) -> (Vec<Uuid>, Vec<Option<DateTime<Utc>>>) {
    letters
        .iter()
        .map(|row| -> (Uuid, Option<DateTime<Utc>>) { (row.get("id"), row.get("received_at")) })
        .unzip()
}
