//! What an operator decides about an operation that has not ended. Each answers the operation as it is then, and
//! whether it was changed; none where there is no such operation.

use database::{Client, DatabaseError, types::ToSql};
use tokio_postgres::GenericClient;
use uuid::Uuid;

use super::entry;
use crate::records::OperationRecord;

/// What becomes of a decision.
pub type Decided = Option<(OperationRecord, bool)>;

/// A program that holds the lease has still to hear of it.
const IS_HELD: &str = "coalesce(lease_until > clock_timestamp(), false)";

/// Nothing more of it is begun, until it is resumed.
///
/// # Errors
///
/// Where Postgres does not do it.
pub async fn pause(client: &Client, id: Uuid) -> Result<Decided, DatabaseError> {
    decide(client, id, "state = 'paused'", "state IN ('waiting', 'running')", &[]).await
}

/// It goes on.
///
/// # Errors
///
/// Where Postgres does not do it.
pub async fn resume(client: &Client, id: Uuid) -> Result<Decided, DatabaseError> {
    let set = format!("state = CASE WHEN {IS_HELD} THEN 'running' ELSE 'waiting' END");
    decide(client, id, &set, "state = 'paused'", &[]).await
}

/// It ends after the batch under way; at once where nobody carries it out, which is then noted in the audit.
///
/// # Errors
///
/// Where Postgres does not do it.
pub async fn stop(client: &mut Client, id: Uuid) -> Result<Decided, DatabaseError> {
    let failed = || DatabaseError::during("stop the operation");
    let set = format!("state = CASE WHEN {IS_HELD} THEN 'stopping' ELSE 'stopped' END");
    let states = "state IN ('waiting', 'running', 'paused', 'stopping')";
    let transaction = client.transaction().await.map_err(failed())?;
    let decided = decide(&transaction, id, &set, states, &[]).await?;
    let noted = match &decided {
        Some((operation, true)) if operation.has_ended() => {
            Some(entry::record(&transaction, operation).await?)
        }
        _ => None,
    };
    transaction.commit().await.map_err(failed())?;
    if let Some(noted) = noted {
        noted.committed();
    }
    Ok(decided)
}

/// At most so many a second from the next batch on; none: as fast as it goes.
///
/// # Errors
///
/// Where Postgres does not do it.
pub async fn set_rate(
    client: &Client,
    id: Uuid,
    rate: Option<i32>,
) -> Result<Decided, DatabaseError> {
    decide(client, id, "rate = $2", "state IN ('waiting', 'running', 'paused')", &[&rate]).await
}

async fn decide(
    client: &impl GenericClient,
    id: Uuid,
    set: &str,
    condition: &str,
    more: &[&(dyn ToSql + Sync)],
) -> Result<Decided, DatabaseError> {
    let failed = || DatabaseError::during("change the operation");
    let statement = format!("UPDATE operations SET {set} WHERE id = $1 AND {condition}");
    let own: [&(dyn ToSql + Sync); 1] = [&id];
    let parameters: Vec<_> = own.iter().chain(more).copied().collect();
    let changed = client.execute(&statement, &parameters).await.map_err(failed())?;
    let statement =
        format!("SELECT {} FROM operations o WHERE o.id = $1", OperationRecord::RETURNED);
    let row = client.query_opt(&statement, &[&id]).await.map_err(failed())?;
    Ok(row.map(|row| (OperationRecord::returned(&row), changed > 0)))
}
