//! A campus with its sync configuration, all but its secrets.

use std::{error::Error as StdError, fmt, time::Duration};

use chrono::{DateTime, Utc};
use database::{
    Client, DatabaseError, Error, Row, Transaction,
    types::{FromSql, Type},
};
use runtime::format_duration;
use serde::{Serialize, Serializer};
use serde_json::Value;
use uuid::Uuid;

use super::record;

record! {
    /// A campus that is synced, all but its secrets.
    CampusRecord {
        id: Uuid = "c.id",
        campus_id: Uuid = "c.id",
        name: String = "c.name",
        timezone: String = "c.timezone",
        core_church_id: String = "s.core_church_id",
        is_enabled: bool = "s.is_enabled",
        paused_at: Option<DateTime<Utc>> = "s.paused_at",
        paused_by: Option<String> = "s.paused_by",
        api_base_url: String = "s.api_base_url",
        api_path_prefix: String = "s.api_path_prefix",
        api_login_path: String = "s.api_login_path",
        api_members_path: String = "s.api_members_path",
        api_email: String = "s.api_email",
        filter_mode: String = "s.filter_mode",
        filter_rules: Value = "s.filter_rules",
        rate_limit: Option<i32> = "s.rate_limit",
        reconciliation_enabled: bool = "s.reconciliation_enabled",
        reconciliation_time: String = "to_char(s.reconciliation_time, 'HH24:MI')",
        reconcile_every: Option<Interval> = "extract(epoch FROM s.reconcile_every)::bigint",
        archive_limit: i32 = "s.archive_limit",
        link_members: bool = "s.link_members",
        default_country: String = "s.default_country",
        webhook_secret_set_at: DateTime<Utc> = "s.webhook_secret_set_at",
        previous_secret_expires_at: Option<DateTime<Utc>> =
            "CASE WHEN s.previous_secret_expires_at > now() THEN s.previous_secret_expires_at END",
        last_sync_at: Option<DateTime<Utc>> = "s.last_sync_at",
        last_sync_status: Option<String> = "s.last_sync_status",
        last_sync_message: Option<String> = "s.last_sync_message",
        created_at: DateTime<Utc> = "c.created_at",
        updated_at: DateTime<Utc> = "s.updated_at",
        version: i64 = "s.version",
    }
}

/// A span of time that Postgres gives in whole seconds; told as `1h`, which is how settings take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval(pub Duration);

impl<'a> FromSql<'a> for Interval {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(Duration::from_secs(i64::from_sql(kind, raw)?.unsigned_abs())))
    }

    fn accepts(kind: &Type) -> bool {
        <i64 as FromSql>::accepts(kind)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&format_duration(self.0))
    }
}

impl Serialize for Interval {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl CampusRecord {
    /// Every synced campus, by name.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn all(client: &Client) -> Result<Vec<Self>, DatabaseError> {
        let rows = client
            .query(&select("ORDER BY c.name, c.id"), &[])
            .await
            .map_err(DatabaseError::during("read the campuses"))?;
        Ok(rows.iter().map(Self::from_row).collect())
    }

    /// The one with this id, where it is synced.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn find(client: &Client, id: Uuid) -> Result<Option<Self>, DatabaseError> {
        let row = client
            .query_opt(&select("WHERE c.id = $1"), &[&id])
            .await
            .map_err(DatabaseError::during("read the campus"))?;
        Ok(row.as_ref().map(Self::from_row))
    }

    /// The same, for whoever changes it in this transaction: nobody else does until its end.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn lock(transaction: &Transaction<'_>, id: Uuid) -> Result<Option<Self>, Error> {
        let row = transaction.query_opt(&select("WHERE c.id = $1 FOR UPDATE"), &[&id]).await?;
        Ok(row.as_ref().map(Self::from_row))
    }

    /// The name of a campus, be it synced or not.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn name_of(client: &Client, id: Uuid) -> Result<Option<String>, DatabaseError> {
        let row = client
            .query_opt("SELECT name FROM campuses WHERE id = $1", &[&id])
            .await
            .map_err(DatabaseError::during("read the campus's name"))?;
        Ok(row.map(|row: Row| row.get(0)))
    }

    /// Its deliveries of the last 24 hours, counted by status.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn deliveries_of_a_day(
        &self,
        client: &Client,
    ) -> Result<Vec<(String, i64)>, DatabaseError> {
        let rows = client
            .query(
                "SELECT status, count(*) FROM webhook_logs
                 WHERE campus_id = $1 AND received_at > now() - interval '24 hours'
                 GROUP BY status ORDER BY status",
                &[&self.id],
            )
            .await
            .map_err(DatabaseError::during("count the campus's deliveries"))?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }
}

fn select(rest: &str) -> String {
    let columns = CampusRecord::COLUMNS;
    format!("SELECT {columns} FROM sync_configs s JOIN campuses c ON c.id = s.campus_id {rest}")
}
