//! A row of `operator_log`.

use chrono::{DateTime, Utc};
use database::{Client, DatabaseError};
use serde_json::Value;
use uuid::Uuid;

use super::record;

record! {
    /// A change, and who made it.
    AuditRecord {
        id: Uuid = "o.id",
        at: DateTime<Utc> = "o.at",
        who: String = "o.who",
        via: String = "o.via",
        role: String = "o.role",
        address: Option<String> = "o.address",
        action: String = "o.action",
        campus_id: Option<Uuid> = "o.campus_id",
        subject: Value = "o.subject",
        result: String = "o.result",
        operation_id: Option<Uuid> = "o.operation_id",
    }
}

/// Which entries are listed: those of which all that is given holds.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// By whom.
    pub who: Option<String>,
    /// What was done; `campus` is every action whose first word that is.
    pub action: Option<String>,
    /// Of this campus.
    pub campus: Option<Uuid>,
    /// Since.
    pub since: Option<DateTime<Utc>>,
    /// Before.
    pub until: Option<DateTime<Utc>>,
    /// After this one in the list, by its key: older than it.
    pub after: Option<(DateTime<Utc>, Uuid)>,
}

impl AuditRecord {
    /// The newest of those that match.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn list(
        client: &Client,
        filter: &AuditFilter,
        limit: u32,
    ) -> Result<Vec<Self>, DatabaseError> {
        let AuditFilter { who, action, campus, since, until, after } = filter;
        let (after_at, after_id) = after.unzip();
        let statement = format!(
            "SELECT {} FROM operator_log o
             WHERE ($1::text IS NULL OR o.who = $1)
               AND ($2::text IS NULL OR o.action = $2 OR starts_with(o.action, $2 || ' '))
               AND ($3::uuid IS NULL OR o.campus_id = $3)
               AND ($4::timestamptz IS NULL OR o.at >= $4)
               AND ($5::timestamptz IS NULL OR o.at < $5)
               AND ($6::timestamptz IS NULL OR (o.at, o.id) < ($6, $7::uuid))
             ORDER BY o.at DESC, o.id DESC LIMIT $8",
            Self::COLUMNS
        );
        let rows = client
            .query(
                &statement,
                &[who, action, campus, since, until, &after_at, &after_id, &i64::from(limit)],
            )
            .await
            .map_err(DatabaseError::during("list the audit"))?;
        Ok(rows.iter().map(Self::from_row).collect())
    }
}
