//! How a campus is synced now, for those who talk to its core.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use database::Row;
use member::{CoreMember, Country, Filter, FilterError, Locale};
use uuid::Uuid;

use crate::{LinkEvidence, LinkPolicy};

/// A campus's configuration, as far as worker and reconciler need it.
#[derive(Debug, Clone)]
pub struct CampusConfig {
    /// FaithTracker's id.
    pub id: Uuid,
    /// Moves with every change; what was made from an older one is made anew.
    pub version: i64,
    /// Moves with each change of what is synced, and how: what was read under another is not written.
    pub synced_version: i64,
    /// The church that every fetched member must belong to.
    pub core_church_id: String,
    /// The core's address, as it was given.
    pub api_base_url: String,
    /// Before every path of the API.
    pub api_path_prefix: String,
    /// The path of the login.
    pub api_login_path: String,
    /// The path of the list of members.
    pub api_members_path: String,
    /// Whom to log in as.
    pub api_email: String,
    /// With which password, sealed.
    pub api_password_sealed: Vec<u8>,
    /// Whether the campus is synced at all.
    pub is_enabled: bool,
    /// Since when nothing of it is fetched or written, where it is paused.
    pub paused_at: Option<DateTime<Utc>>,
    /// Whom this campus keeps.
    pub filter: Filter,
    /// Whether a member that was never seen takes over the row of the same person here.
    pub link_members: bool,
    /// For phone numbers without a country.
    pub country: Country,
    /// For birthdays.
    pub time_zone: Tz,
}

/// A configuration that cannot be used, although faithctl checks what it saves.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The filter's rules.
    #[error("the sync filter cannot be used: {0}")]
    Filter(#[from] FilterError),
    /// The country of phone numbers.
    #[error("default_country: {0}")]
    Country(#[from] member::UnknownCountry),
    /// The time zone.
    #[error("timezone: no IANA time zone has this name")]
    TimeZone,
}

impl CampusConfig {
    pub(crate) const SELECT: &str = "
        SELECT s.campus_id, s.version, s.synced_version, s.core_church_id, s.api_base_url,
               s.api_path_prefix, s.api_login_path, s.api_members_path, s.api_email, s.api_password_sealed, s.is_enabled,
               s.paused_at, s.filter_mode, s.filter_rules, s.link_members, s.default_country,
               (SELECT c.timezone FROM campuses c WHERE c.id = s.campus_id) AS timezone
        FROM sync_configs s
        WHERE s.campus_id = ANY($1)";

    pub(crate) fn from_row(row: &Row) -> Result<Self, ConfigError> {
        Ok(Self {
            id: row.get("campus_id"),
            version: row.get("version"),
            synced_version: row.get("synced_version"),
            core_church_id: row.get("core_church_id"),
            api_base_url: row.get("api_base_url"),
            api_path_prefix: row.get("api_path_prefix"),
            api_login_path: row.get("api_login_path"),
            api_members_path: row.get("api_members_path"),
            api_email: row.get("api_email"),
            api_password_sealed: row.get("api_password_sealed"),
            is_enabled: row.get("is_enabled"),
            paused_at: row.get("paused_at"),
            filter: Filter::parse(row.get("filter_mode"), &row.get("filter_rules"))?,
            link_members: row.get("link_members"),
            country: row.get::<_, &str>("default_country").parse()?,
            time_zone: row.get::<_, &str>("timezone").parse().map_err(|_| ConfigError::TimeZone)?,
        })
    }

    /// Reads the configuration of one campus; none where no sync is configured.
    pub async fn load(
        client: &database::Client,
        campus: Uuid,
    ) -> Result<Option<Result<Self, ConfigError>>, database::DatabaseError> {
        let row = client
            .query_opt(Self::SELECT, &[&vec![campus]])
            .await
            .map_err(database::DatabaseError::during("read the campus's configuration"))?;
        Ok(row.as_ref().map(Self::from_row))
    }

    /// The member's next birthday by the campus's clock, where its filter may decide otherwise then.
    pub fn next_birthday(&self, member: &CoreMember, now: DateTime<Utc>) -> Option<NaiveDate> {
        self.filter.next_birthday(member, self.locale(now).today)
    }

    /// Whether a member that was never seen may take over somebody's row, before the core was asked about anybody.
    pub fn link(&self) -> LinkPolicy {
        if self.link_members {
            LinkPolicy::Allowed(LinkEvidence::nothing(self.country))
        } else {
            LinkPolicy::Never
        }
    }

    /// Where and when the campus is, at `now`.
    pub fn locale(&self, now: DateTime<Utc>) -> Locale {
        Locale::at(self.country, self.time_zone, now)
    }
}
