//! A campus with its sync configuration, all but its secrets.

use std::time::Duration;

use chrono::{DateTime, Utc};
use database::{Client, DatabaseError, Row};
use runtime::format_duration;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

/// A campus that is synced; keys of its JSON are the columns of `campuses` and `sync_configs`.
#[derive(Debug, Serialize)]
pub(crate) struct CampusRecord {
    pub(crate) id: Uuid,
    /// The same; programs know it from `campus add` by this name.
    pub(crate) campus_id: Uuid,
    pub(crate) name: String,
    pub(crate) timezone: String,
    pub(crate) core_church_id: String,
    pub(crate) is_enabled: bool,
    pub(crate) api_base_url: String,
    pub(crate) api_path_prefix: String,
    pub(crate) api_login_path: String,
    pub(crate) api_members_path: String,
    pub(crate) api_email: String,
    pub(crate) filter_mode: String,
    pub(crate) filter_rules: Value,
    pub(crate) rate_limit: Option<i32>,
    pub(crate) reconciliation_enabled: bool,
    pub(crate) reconciliation_time: String,
    /// As `set --reconcile-every` takes it.
    pub(crate) reconcile_every: Option<String>,
    pub(crate) archive_limit: i32,
    pub(crate) link_members: bool,
    pub(crate) default_country: String,
    pub(crate) webhook_secret_set_at: DateTime<Utc>,
    pub(crate) previous_secret_expires_at: Option<DateTime<Utc>>,
    pub(crate) last_sync_at: Option<DateTime<Utc>>,
    pub(crate) last_sync_status: Option<String>,
    pub(crate) last_sync_message: Option<String>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    pub(crate) version: i64,
}

const COLUMNS: &str = "
    SELECT c.id, c.name, c.timezone, c.created_at,
           s.core_church_id, s.is_enabled, s.api_base_url, s.api_path_prefix, s.api_login_path,
           s.api_members_path, s.api_email, s.filter_mode, s.filter_rules, s.rate_limit,
           s.reconciliation_enabled, to_char(s.reconciliation_time, 'HH24:MI') AS reconciliation_time,
           extract(epoch FROM s.reconcile_every)::bigint AS reconcile_every,
           s.archive_limit, s.link_members, s.default_country, s.webhook_secret_set_at,
           CASE WHEN s.previous_secret_expires_at > now() THEN s.previous_secret_expires_at END
               AS previous_secret_expires_at,
           s.last_sync_at, s.last_sync_status, s.last_sync_message, s.updated_at, s.version
    FROM sync_configs s JOIN campuses c ON c.id = s.campus_id";

impl CampusRecord {
    /// Every synced campus, by name.
    pub(crate) async fn all(client: &Client) -> Result<Vec<Self>, DatabaseError> {
        let rows = client
            .query(&format!("{COLUMNS} ORDER BY c.name, c.id"), &[])
            .await
            .map_err(DatabaseError::during("read the campuses"))?;
        Ok(rows.iter().map(Self::from_row).collect())
    }

    /// One campus, or an error that says what to do.
    pub(crate) async fn load(client: &Client, id: Uuid) -> anyhow::Result<Self> {
        let row = client
            .query_opt(&format!("{COLUMNS} WHERE c.id = $1"), &[&id])
            .await
            .map_err(DatabaseError::during("read the campus"))?;
        match row {
            Some(row) => Ok(Self::from_row(&row)),
            None => Err(super::id::unknown(client, id).await),
        }
    }

    /// How the filter is shown in a listing.
    pub(crate) fn filter_summary(&self) -> String {
        match self.filter_rules.as_array().map_or(0, Vec::len) {
            0 => "everyone".to_owned(),
            1 => format!("{} 1 rule", self.filter_mode),
            rules => format!("{} {rules} rules", self.filter_mode),
        }
    }

    /// The rate limit as `set --rate-limit` takes it.
    pub(crate) fn rate_limit_text(&self) -> String {
        self.rate_limit.map_or_else(|| "off".to_owned(), |limit| format!("{limit}/s"))
    }

    fn from_row(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            campus_id: row.get("id"),
            name: row.get("name"),
            timezone: row.get("timezone"),
            core_church_id: row.get("core_church_id"),
            is_enabled: row.get("is_enabled"),
            api_base_url: row.get("api_base_url"),
            api_path_prefix: row.get("api_path_prefix"),
            api_login_path: row.get("api_login_path"),
            api_members_path: row.get("api_members_path"),
            api_email: row.get("api_email"),
            filter_mode: row.get("filter_mode"),
            filter_rules: row.get("filter_rules"),
            rate_limit: row.get("rate_limit"),
            reconciliation_enabled: row.get("reconciliation_enabled"),
            reconciliation_time: row.get("reconciliation_time"),
            reconcile_every: row
                .get::<_, Option<i64>>("reconcile_every")
                .map(|seconds| format_duration(Duration::from_secs(seconds.unsigned_abs()))),
            archive_limit: row.get("archive_limit"),
            link_members: row.get("link_members"),
            default_country: row.get("default_country"),
            webhook_secret_set_at: row.get("webhook_secret_set_at"),
            previous_secret_expires_at: row.get("previous_secret_expires_at"),
            last_sync_at: row.get("last_sync_at"),
            last_sync_status: row.get("last_sync_status"),
            last_sync_message: row.get("last_sync_message"),
            created_at: row.get("created_at"),
            updated_at: row.get("updated_at"),
            version: row.get("version"),
        }
    }
}
