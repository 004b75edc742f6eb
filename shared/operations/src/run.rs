//! A run of the reconciler that an operator asks for.

use database::{Client, DatabaseError};
use serde_json::json;
use store::{
    OperationKind,
    operations::{self, OperationRequest},
    records::OperationRecord,
};
use uuid::Uuid;

use crate::Requester;

/// Which run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunChoice {
    /// Of this campus.
    pub campus: Uuid,
    /// Nothing is written.
    pub is_dry_run: bool,
    /// So many archives, which the campus's last held run held, are let through.
    pub allow_archives: Option<i32>,
}

impl RunChoice {
    /// What kind of operation that is.
    pub fn kind(&self) -> OperationKind {
        match (self.is_dry_run, self.allow_archives) {
            (true, _) => OperationKind::ReconcileDryRun,
            (false, Some(_)) => OperationKind::AllowArchives,
            (false, None) => OperationKind::Reconcile,
        }
    }

    /// Asks for it.
    ///
    /// # Errors
    ///
    /// Where Postgres does not take it.
    pub async fn request(
        &self,
        client: &Client,
        requester: Requester,
    ) -> Result<OperationRecord, DatabaseError> {
        let request = OperationRequest {
            kind: self.kind(),
            request_id: requester.request_id,
            by: requester.by,
            role: requester.role,
            via: requester.via,
            cutoff: operations::now(client).await?,
            filters: Some(json!({"campus_id": self.campus})),
            ids: None,
            limit: self.allow_archives,
            rate: None,
            note: None,
            matched: None,
        };
        operations::request(client, &request).await
    }
}
