//! The entry of an operation in the audit: one, with its true end.

use database::DatabaseError;
use serde_json::{Value, json};
use tokio_postgres::GenericClient;

use crate::{
    AuditResult, AuditVia, OperationKind, OperationState,
    audit::{Actor, AuditEntry, Recorded},
    records::OperationRecord,
};

/// Notes an operation that has ended, in the transaction that ends it.
pub(super) async fn record(
    client: &impl GenericClient,
    operation: &OperationRecord,
) -> Result<Recorded, DatabaseError> {
    let via = AuditVia::parse(&operation.via).unwrap_or(AuditVia::Faithctl);
    let actor = Actor { who: operation.by.clone(), via, address: None };
    let entry = AuditEntry {
        actor: &actor,
        action: action(operation.kind()),
        campus: operation.campus(),
        subject: &subject(operation),
        result: match operation.state() {
            Some(OperationState::Done) => AuditResult::Done,
            Some(OperationState::Stopped) => AuditResult::Stopped,
            _ => AuditResult::Failed,
        },
        operation: Some(operation.id),
    };
    entry.record(client).await.map_err(DatabaseError::during("note how the operation ended"))
}

/// As the command that asks for it is called.
fn action(kind: Option<OperationKind>) -> &'static str {
    match kind {
        Some(OperationKind::Replay) => "dead-letters replay",
        Some(OperationKind::Discard) => "dead-letters discard",
        Some(OperationKind::Restore) => "dead-letters restore",
        Some(OperationKind::Resync) => "members resync",
        Some(
            OperationKind::Reconcile
            | OperationKind::ReconcileDryRun
            | OperationKind::AllowArchives,
        ) => "runs request",
        None => "operation",
    }
}

/// What was chosen and what was done; members by the keys under which an erasure finds them.
fn subject(operation: &OperationRecord) -> Value {
    let mut subject = json!({
        "kind": operation.kind,
        "matched": operation.matched,
        "done": operation.done,
        "skipped": operation.skipped,
        "unreadable": operation.unreadable,
    });
    let filters = operation.filters.as_ref().and_then(Value::as_object);
    for (name, value) in filters.into_iter().flatten() {
        let name = match name.as_str() {
            "member_id" => "member",
            "member_ids" => "members",
            name => name,
        };
        subject[name] = value.clone();
    }
    // Why a run failed may name a member.
    let is_run = operation.kind().is_some_and(|kind| OperationKind::OF_RECONCILERS.contains(&kind));
    let error = operation.error.as_ref().filter(|_| !is_run);
    for (name, value) in [
        ("ids", json!(operation.ids)),
        ("limit", json!(operation.limit_n)),
        ("rate", json!(operation.rate)),
        ("note", json!(operation.note)),
        ("error", json!(error)),
    ] {
        if !value.is_null() {
            subject[name] = value;
        }
    }
    subject
}
