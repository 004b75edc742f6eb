//! What an operator decides about an operation that has not ended, in the transaction that notes the decision in the audit.

use database::{DatabaseError, Transaction, types::ToSql};
use uuid::Uuid;

use super::entry;
use crate::{audit::Recorded, records::OperationRecord};

/// What becomes of a decision; none where there is no such operation.
pub type Decided = Option<Decision>;

/// What became of a decision.
#[derive(Debug)]
#[must_use = "the end of an operation is told in the log once its transaction is committed"]
pub struct Decision {
    /// The operation as it was.
    pub before: OperationRecord,
    /// As it is then.
    pub operation: OperationRecord,
    /// Whether that is another.
    pub is_change: bool,
    /// Its end in the audit, where the decision was its end.
    pub ended: Option<Recorded>,
}

/// A program that holds the lease has still to hear of it.
const IS_HELD: &str = "coalesce(lease_until > clock_timestamp(), false)";

/// Nothing more of it is begun, until it is resumed.
///
/// # Errors
///
/// Where Postgres does not do it.
pub async fn pause(transaction: &Transaction<'_>, id: Uuid) -> Result<Decided, DatabaseError> {
    decide(transaction, id, "state = 'paused'", "state IN ('waiting', 'running')", &[]).await
}

/// It goes on.
///
/// # Errors
///
/// Where Postgres does not do it.
pub async fn resume(transaction: &Transaction<'_>, id: Uuid) -> Result<Decided, DatabaseError> {
    let set = format!("state = CASE WHEN {IS_HELD} THEN 'running' ELSE 'waiting' END");
    decide(transaction, id, &set, "state = 'paused'", &[]).await
}

/// It ends after the batch under way; at once where nobody carries it out, which is then noted in the audit.
///
/// # Errors
///
/// Where Postgres does not do it.
pub async fn stop(transaction: &Transaction<'_>, id: Uuid) -> Result<Decided, DatabaseError> {
    let set = format!("state = CASE WHEN {IS_HELD} THEN 'stopping' ELSE 'stopped' END");
    let states = "state IN ('waiting', 'running', 'paused', 'stopping')";
    let mut decided = decide(transaction, id, &set, states, &[]).await?;
    if let Some(decision) = &mut decided
        && decision.is_change
        && decision.operation.has_ended()
    {
        decision.ended = Some(entry::record(transaction, &decision.operation).await?);
    }
    Ok(decided)
}

/// At most so many a second from the next batch on; none: as fast as it goes.
///
/// # Errors
///
/// Where Postgres does not do it.
pub async fn set_rate(
    transaction: &Transaction<'_>,
    id: Uuid,
    rate: Option<i32>,
) -> Result<Decided, DatabaseError> {
    decide(transaction, id, "rate = $2", "state IN ('waiting', 'running', 'paused')", &[&rate])
        .await
}

async fn decide(
    transaction: &Transaction<'_>,
    id: Uuid,
    set: &str,
    condition: &str,
    more: &[&(dyn ToSql + Sync)],
) -> Result<Decided, DatabaseError> {
    let failed = || DatabaseError::during("change the operation");
    let columns = OperationRecord::RETURNED;
    let statement = format!("SELECT {columns} FROM operations o WHERE o.id = $1 FOR UPDATE");
    let row = transaction.query_opt(&statement, &[&id]).await.map_err(failed())?;
    let Some(before) = row.as_ref().map(OperationRecord::returned) else { return Ok(None) };
    let statement = format!(
        "UPDATE operations o SET {set} WHERE o.id = $1 AND {condition} RETURNING {columns}"
    );
    let own: [&(dyn ToSql + Sync); 1] = [&id];
    let parameters: Vec<_> = own.iter().chain(more).copied().collect();
    let row = transaction.query_opt(&statement, &parameters).await.map_err(failed())?;
    let changed = row.as_ref().map(OperationRecord::returned);
    Ok(Some(Decision {
        is_change: changed.is_some(),
        operation: changed.unwrap_or_else(|| before.clone()),
        before,
        ended: None,
    }))
}
