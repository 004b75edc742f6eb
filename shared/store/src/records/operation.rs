//! A row of `operations`.

use chrono::{DateTime, Utc};
use database::{Client, DatabaseError, Row};
use serde_json::Value;
use uuid::Uuid;

use super::record;
use crate::{OperationKind, OperationState};

record! {
    /// An operation, with all that its row says.
    OperationRecord {
        id: Uuid = "o.id",
        kind: String = "o.kind",
        request_id: Uuid = "o.request_id",
        by: String = "o.by",
        role: String = "o.role",
        via: String = "o.via",
        created_at: DateTime<Utc> = "o.created_at",
        cutoff: DateTime<Utc> = "o.cutoff",
        filters: Option<Value> = "o.filters",
        ids: Option<Vec<Uuid>> = "o.ids",
        limit_n: Option<i32> = "o.limit_n",
        rate: Option<i32> = "o.rate",
        note: Option<String> = "o.note",
        state: String = "o.state",
        matched: Option<i64> = "o.matched",
        done: i64 = "o.done",
        skipped: i64 = "o.skipped",
        unreadable: i64 = "o.unreadable",
        outcome: Option<Value> = "o.outcome",
        error: Option<String> = "o.error",
        lease_by: Option<Uuid> = "o.lease_by",
        lease_until: Option<DateTime<Utc>> = "o.lease_until",
        started_at: Option<DateTime<Utc>> = "o.started_at",
        ended_at: Option<DateTime<Utc>> = "o.ended_at",
    }
}

/// Which operations are listed: those of which all that is given holds.
#[derive(Debug, Clone, Default)]
pub struct OperationFilter {
    /// Of this kind.
    pub kind: Option<OperationKind>,
    /// In this state.
    pub state: Option<OperationState>,
    /// Asked for before this moment; with an id, also those of that moment with a smaller one.
    pub before: Option<(DateTime<Utc>, Uuid)>,
}

impl OperationRecord {
    /// What is asked for; none where a newer version knows it alone.
    pub fn kind(&self) -> Option<OperationKind> {
        OperationKind::parse(&self.kind)
    }

    /// The campus that it is about, where it is one.
    pub fn campus(&self) -> Option<Uuid> {
        self.filters.as_ref()?.get("campus_id")?.as_str()?.parse().ok()
    }

    /// Where it stands; none where a newer version knows it alone.
    pub fn state(&self) -> Option<OperationState> {
        OperationState::parse(&self.state)
    }

    /// Whether nothing more becomes of it.
    pub fn has_ended(&self) -> bool {
        self.state().is_some_and(OperationState::is_end)
    }

    /// The newest of those that match.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn list(
        client: &Client,
        filter: &OperationFilter,
        limit: u32,
    ) -> Result<Vec<Self>, DatabaseError> {
        let statement = format!(
            "SELECT {} FROM operations o
             WHERE ($1::text IS NULL OR o.kind = $1) AND ($2::text IS NULL OR o.state = $2)
               AND ($3::timestamptz IS NULL OR (o.created_at, o.id) < ($3, $4::uuid))
             ORDER BY o.created_at DESC, o.id DESC LIMIT $5",
            Self::COLUMNS
        );
        let kind = filter.kind.map(OperationKind::as_str);
        let state = filter.state.map(OperationState::as_str);
        let (at, id) = filter.before.unzip();
        let rows = client
            .query(&statement, &[&kind, &state, &at, &id, &i64::from(limit)])
            .await
            .map_err(DatabaseError::during("list operations"))?;
        Ok(rows.iter().map(Self::from_row).collect())
    }

    /// The operation with this id.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn find(client: &Client, id: Uuid) -> Result<Option<Self>, DatabaseError> {
        let statement = format!("SELECT {} FROM operations o WHERE o.id = $1", Self::COLUMNS);
        let row = client
            .query_opt(&statement, &[&id])
            .await
            .map_err(DatabaseError::during("read the operation"))?;
        Ok(row.as_ref().map(Self::from_row))
    }

    /// What a statement about `operations o` returns.
    pub(crate) const RETURNED: &str = Self::COLUMNS;

    /// Reads what such a statement returned.
    pub(crate) fn returned(row: &Row) -> Self {
        Self::from_row(row)
    }
}
