//! A run of the reconciler, and whom it changed.

use chrono::{DateTime, Utc};
use database::{Client, DatabaseError};
use uuid::Uuid;

use super::{Place, conditions::Conditions, record};

record! {
    /// A run.
    RunRecord {
        id: Uuid = "l.id",
        campus_id: Uuid = "l.campus_id",
        campus_name: String = "c.name",
        sync_type: String = "l.sync_type",
        status: String = "l.status",
        members_fetched: i32 = "l.members_fetched",
        members_undecided: i32 = "l.members_undecided",
        members_created: i32 = "l.members_created",
        members_linked: i32 = "l.members_linked",
        members_updated: i32 = "l.members_updated",
        members_archived: i32 = "l.members_archived",
        members_unarchived: i32 = "l.members_unarchived",
        members_unchanged: i32 = "l.members_unchanged",
        candidates_held: i32 = "l.candidates_held",
        error_message: Option<String> = "l.error_message",
        started_at: DateTime<Utc> = "l.started_at",
        completed_at: Option<DateTime<Utc>> = "l.completed_at",
        duration_seconds: Option<f64> = "l.duration_seconds",
        allowed_archives: Option<i32> = "l.allowed_archives",
        allowed_by: Option<String> = "l.allowed_by",
        allowed_run_id: Option<Uuid> = "l.allowed_run_id",
    }
}

record! {
    /// A member whom a run changed, held, or could not decide about.
    RunChange {
        kind: String = "kind",
        external_member_id: String = "external_member_id",
        reason: Option<String> = "reason",
        allowed: bool = "allowed",
        changed_at: DateTime<Utc> = "changed_at",
    }
}

impl RunRecord {
    /// The newest, of one campus or of all, after a place where one is given.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn list(
        client: &Client,
        campus: Option<Uuid>,
        after: Option<&Place>,
        limit: u32,
    ) -> Result<Vec<Self>, DatabaseError> {
        let limit = i64::from(limit);
        let mut conditions = Conditions::default();
        conditions.and_some("l.campus_id =", campus.as_ref());
        conditions.and_after("(l.started_at, l.id)", after);
        let number = conditions.parameter(&limit);
        let rest = format!(
            "WHERE {} ORDER BY l.started_at DESC, l.id DESC LIMIT {number}",
            conditions.with("")
        );
        let rows = client
            .query(&select(&rest), &conditions.parameters)
            .await
            .map_err(DatabaseError::during("list runs"))?;
        Ok(rows.iter().map(Self::from_row).collect())
    }

    /// Where it stands in a listing.
    pub fn place(&self) -> Place {
        Place { at: self.started_at, id: self.id }
    }

    /// The one with this id.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn find(client: &Client, id: Uuid) -> Result<Option<Self>, DatabaseError> {
        let row = client
            .query_opt(&select("WHERE l.id = $1"), &[&id])
            .await
            .map_err(DatabaseError::during("read the run"))?;
        Ok(row.as_ref().map(Self::from_row))
    }

    /// Whom it changed, by kind and the core's ids.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn changes(&self, client: &Client) -> Result<Vec<RunChange>, DatabaseError> {
        let statement = format!(
            "SELECT {} FROM sync_changes WHERE run_id = $1 ORDER BY kind, external_member_id",
            RunChange::COLUMNS
        );
        let rows = client
            .query(&statement, &[&self.id])
            .await
            .map_err(DatabaseError::during("read what the run changed"))?;
        Ok(rows.iter().map(RunChange::from_row).collect())
    }
}

fn select(rest: &str) -> String {
    let columns = RunRecord::COLUMNS;
    format!("SELECT {columns} FROM sync_logs l JOIN campuses c ON c.id = l.campus_id {rest}")
}
