//! How an operation stands.

use database::{Client, DatabaseError};
use store::{OperationState, operations, records::OperationRecord};
use uuid::Uuid;

/// An operation at a moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The operation.
    pub operation: OperationRecord,
    /// Of one that waits: how many programs run that could carry it out.
    pub programs: Option<i64>,
    /// Of one that waits: those that are carried out first.
    pub waits_for: Vec<Uuid>,
}

impl Snapshot {
    /// Whether nobody is there to carry it out.
    pub fn is_orphaned(&self) -> bool {
        self.programs == Some(0)
    }
}

/// Looks at an operation; none where there is no such one.
///
/// # Errors
///
/// Where Postgres cannot be asked.
pub async fn look(client: &Client, id: Uuid) -> Result<Option<Snapshot>, DatabaseError> {
    let Some(operation) = OperationRecord::find(client, id).await? else { return Ok(None) };
    let mut snapshot = Snapshot { operation, programs: None, waits_for: Vec::new() };
    if snapshot.operation.state() == Some(OperationState::Waiting)
        && let Some(kind) = snapshot.operation.kind()
    {
        snapshot.programs = Some(operations::running(client, kind).await?);
        snapshot.waits_for = operations::waits_for(client, id).await?;
    }
    Ok(Some(snapshot))
}
