//! A campus with its sync configuration, all but its secrets.

use std::{collections::BTreeMap, error::Error as StdError, fmt, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use database::{
    Client, DatabaseError, Error, Row, Transaction,
    types::{FromSql, Type},
};
use runtime::format_duration;
use serde::{Serialize, Serializer};
use serde_json::Value;
use uuid::Uuid;

use super::record;

/// Deliveries of a campus that are counted, and no more.
const MOST_COUNTED: i64 = 50_000;

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

    /// Its deliveries of the last 24 hours, counted by status; of a campus with very many, the newest of them.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn deliveries_of_a_day(
        &self,
        client: &Client,
    ) -> Result<DeliveryCounts, DatabaseError> {
        let since = Utc::now() - TimeDelta::hours(24);
        let rows = client
            .query(
                "SELECT status, count(*), min(received_at)
                 FROM (SELECT status, received_at FROM webhook_logs
                       WHERE campus_id = $1 AND received_at > $2
                       ORDER BY received_at DESC LIMIT $3) AS newest
                 GROUP BY status ORDER BY status",
                &[&self.id, &since, &MOST_COUNTED],
            )
            .await
            .map_err(DatabaseError::during("count the campus's deliveries"))?;
        let by_status: BTreeMap<String, i64> =
            rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        let is_all = by_status.values().sum::<i64>() < MOST_COUNTED;
        let oldest = rows.iter().map(|row| row.get::<_, DateTime<Utc>>(2)).min();
        Ok(DeliveryCounts { by_status, since: oldest.filter(|_| !is_all) })
    }
}

/// How many deliveries there were, by status.
#[derive(Debug, Clone)]
pub struct DeliveryCounts {
    /// By status; those without any are left out.
    pub by_status: BTreeMap<String, i64>,
    /// Where not all of the 24 hours are counted: those received since are.
    pub since: Option<DateTime<Utc>>,
}

fn select(rest: &str) -> String {
    let columns = CampusRecord::COLUMNS;
    format!("SELECT {columns} FROM sync_configs s JOIN campuses c ON c.id = s.campus_id {rest}")
}
