//! Asking for an operation.

use chrono::{DateTime, Utc};
use database::{Client, DatabaseError};
use serde_json::Value;
use uuid::Uuid;

use crate::{AuditVia, OperationKind, records::OperationRecord};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct OperationRequest {
    /// What is to be done.
    pub kind: OperationKind,
    /// The same for every try to ask for this one.
    pub request_id: Uuid,
    /// Who asks.
    pub by: String,
    /// In which role.
    pub role: String,
    /// By which program.
    pub via: AuditVia,
    /// What died, or came, later is left for the next, by the database's clock.
    pub cutoff: DateTime<Utc>,
    /// What it is about, by filters: keys are named like the columns.
    pub filters: Option<Value>,
    /// What it is about, by the letters' ids.
    pub ids: Option<Vec<Uuid>>,
    /// At most so many.
    pub limit: Option<i32>,
    /// At most so many a second.
    pub rate: Option<i32>,
    /// Why.
    pub note: Option<String>,
    /// How many that is, where it was counted.
    pub matched: Option<i64>,
}

/// Asks for it. The same `request_id` twice makes one operation, and answers it twice.
///
/// # Errors
///
/// Where Postgres does not take it.
pub async fn request(
    client: &Client,
    request: &OperationRequest,
) -> Result<OperationRecord, DatabaseError> {
    let asked = || DatabaseError::during("ask for the operation");
    client
        .execute(
            "INSERT INTO operations (id, kind, request_id, by, role, cutoff, filters, ids, limit_n, rate, note, matched, via)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
             ON CONFLICT (request_id) DO NOTHING",
            &[
                &Uuid::now_v7(),
                &request.kind.as_str(),
                &request.request_id,
                &request.by,
                &request.role,
                &request.cutoff,
                &request.filters,
                &request.ids,
                &request.limit,
                &request.rate,
                &request.note,
                &request.matched,
                &request.via.as_str(),
            ],
        )
        .await
        .map_err(asked())?;
    // It is there: nothing deletes an operation that has not ended long ago.
    let row = client.query_one(&by_request(), &[&request.request_id]).await.map_err(asked())?;
    Ok(OperationRecord::returned(&row))
}

/// What was asked for by this request already, if anything.
///
/// # Errors
///
/// Where Postgres cannot be asked.
pub async fn requested(
    client: &Client,
    request_id: Uuid,
) -> Result<Option<OperationRecord>, DatabaseError> {
    let row = client
        .query_opt(&by_request(), &[&request_id])
        .await
        .map_err(DatabaseError::during("look whether it was asked for already"))?;
    Ok(row.as_ref().map(OperationRecord::returned))
}

fn by_request() -> String {
    format!("SELECT {} FROM operations o WHERE o.request_id = $1", OperationRecord::RETURNED)
}
