//! What an operation that waits is waiting for.

use database::{Client, DatabaseError};
use uuid::Uuid;

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

/// How many instances of a program run.
///
/// # Errors
///
/// Where Postgres cannot be asked.
pub async fn running(client: &Client, program: &str) -> Result<i64, DatabaseError> {
    let statement = format!(
        "SELECT count(*) FROM instances
         WHERE program = $1 AND ended_at IS NULL AND seen_at > now() - {SILENT}"
    );
    let row = client.query_one(&statement, &[&program]).await;
    Ok(row.map_err(DatabaseError::during("read which programs run"))?.get(0))
}
