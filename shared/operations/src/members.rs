//! Fetching members anew: which ones, counted before anything is asked for.

use chrono::{DateTime, Utc};
use database::{Client, DatabaseError};
use serde_json::to_value;
use store::{
    OperationKind,
    operations::{self, MemberFilters, MemberSelection, OperationRequest},
    records::OperationRecord,
};

use crate::Requester;

/// Which members.
#[derive(Debug, Clone)]
pub struct MemberChoice {
    /// By what.
    pub filters: MemberFilters,
}

/// What an operation would be about.
#[derive(Debug, Clone, Copy)]
pub struct MemberPreview {
    /// When it was counted, by the database's clock.
    pub at: DateTime<Utc>,
    /// How many members of campuses that are synced.
    pub matched: i64,
}

impl MemberChoice {
    /// Counts, and changes nothing.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn preview(&self, client: &Client) -> Result<MemberPreview, DatabaseError> {
        let at = operations::now(client).await?;
        let matched = MemberSelection::new(self.filters.clone(), at).count(client).await?;
        Ok(MemberPreview { at, matched })
    }

    /// Asks for the operation that the preview was of.
    ///
    /// # Errors
    ///
    /// Where Postgres does not take it.
    pub async fn request(
        &self,
        client: &Client,
        preview: &MemberPreview,
        rate: Option<i32>,
        requester: Requester,
    ) -> Result<OperationRecord, DatabaseError> {
        let request = OperationRequest {
            kind: OperationKind::Resync,
            request_id: requester.request_id,
            by: requester.by,
            role: requester.role,
            via: requester.via,
            cutoff: preview.at,
            filters: to_value(&self.filters).ok(),
            ids: None,
            limit: None,
            rate,
            note: None,
            matched: Some(preview.matched),
        };
        operations::request(client, &request).await
    }
}
