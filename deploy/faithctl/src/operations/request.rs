//! Asking for an operation: what every command that does has.

use ::operations::Requester;
use clap::Args;
use database::Client;
use store::{AuditVia, OperationKind, operations, records::OperationRecord};
use uuid::Uuid;

use crate::failure::UsageError;

/// The role of whoever has the database's admin role.
const ROLE: &str = "admin";

/// What every command that asks for an operation takes.
#[derive(Debug, Args)]
pub(crate) struct Request {
    /// Ask for it and do not watch it: `faithctl operations show` says how it stands
    #[arg(long)]
    pub(crate) detach: bool,
    /// The same for every try of a script: it is asked for once, however often the command runs
    #[arg(long, value_name = "UUID")]
    request_id: Option<Uuid>,
}

impl Request {
    /// What an earlier try of the same request asked for, if there was one: neither counted nor asked about again.
    pub(crate) async fn asked_before(
        &self,
        client: &Client,
        kind: OperationKind,
    ) -> anyhow::Result<Option<OperationRecord>> {
        let Some(request_id) = self.request_id else { return Ok(None) };
        let operation = operations::requested(client, request_id).await?;
        operation.map(|operation| is_of(operation, kind)).transpose()
    }
}

/// Refuses what another command asked for with the same id of a request.
pub(crate) fn is_of(
    operation: OperationRecord,
    kind: OperationKind,
) -> anyhow::Result<OperationRecord> {
    if operation.kind() == Some(kind) {
        return Ok(operation);
    }
    Err(UsageError::new(format!(
        "--request-id: operation {} ({}) was asked for with it: another request has another id",
        operation.id, operation.kind
    ))
    .into())
}

/// Who asks, once.
pub(crate) fn requester(request: &Request) -> Requester {
    Requester {
        by: runtime::operator(),
        role: ROLE.to_owned(),
        via: AuditVia::Faithctl,
        request_id: request.request_id.unwrap_or_else(Uuid::new_v4),
    }
}
