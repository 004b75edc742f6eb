//! What an operation that waits is waiting for.

use database::{Client, DatabaseError};
use uuid::Uuid;

use crate::OperationKind;

/// A program that does not refresh its row for so long counts as gone; the slowest does every 5 s.
const SILENT: &str = "interval '20 seconds'";

/// Whether `one` has to wait for `other`: the earlier goes first, and what is under way is waited for.
pub(super) const GOES_FIRST: &str = "
    other.id <> one.id
    AND (other.state IN ('running', 'stopping')
         OR other.state = 'waiting' AND (other.created_at, other.id) < (one.created_at, one.id))
    AND operations_collide(one, other)";

/// The operations that this one waits for, since they are about the same letters, members or campus.
///
/// # Errors
///
/// Where Postgres cannot be asked.
pub async fn waits_for(client: &Client, id: Uuid) -> Result<Vec<Uuid>, DatabaseError> {
    let statement = format!(
        "SELECT other.id FROM operations one, operations other
         WHERE one.id = $1 AND one.state = 'waiting' AND {GOES_FIRST}
         ORDER BY other.created_at, other.id"
    );
    let rows = client
        .query(&statement, &[&id])
        .await
        .map_err(DatabaseError::during("look what the operation waits for"))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Writes down why those of these kinds that could be taken now are not, where nothing is written yet.
///
/// # Errors
///
/// Where Postgres does not do it.
pub async fn say_why(
    client: &Client,
    kinds: &[OperationKind],
    why: &str,
) -> Result<(), DatabaseError> {
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    let statement = format!(
        "UPDATE operations one SET error = $2
         WHERE one.kind = ANY($1) AND one.state = 'waiting' AND one.error IS NULL
           AND NOT EXISTS (SELECT FROM operations other WHERE {GOES_FIRST})"
    );
    let said = client.execute(&statement, &[&kinds, &why]).await;
    said.map_err(DatabaseError::during("say what operations wait for"))?;
    Ok(())
}

/// How many programs run that carry out operations of this kind, by their own word: one of an older version does not.
///
/// # Errors
///
/// Where Postgres cannot be asked.
pub async fn running(client: &Client, kind: OperationKind) -> Result<i64, DatabaseError> {
    let statement = format!(
        "SELECT count(*) FROM instances
         WHERE state->'carries_out' ? $1 AND ended_at IS NULL AND seen_at > now() - {SILENT}"
    );
    let row = client.query_one(&statement, &[&kind.as_str()]).await;
    Ok(row.map_err(DatabaseError::during("read which programs run"))?.get(0))
}
