//! The reconciler's settings.

use std::time::Duration;

use campus::Sealer;
use campus_core::CampusCores;
use core_api::{AllowedHosts, ClientError, ClientSettings};
use database::{DatabaseConfig, DatabaseError, Pool};
use notifications::NotificationSettings;
use runtime::{SettingError, Settings, Variable, variables};

/// The variables that the reconciler reads.
pub const VARIABLES: &[Variable] = &[
    variables::DATABASE_URL,
    variables::DATABASE_URL_FILE,
    variables::DATABASE_POOL_SIZE,
    variables::SECRETS_KEY,
    variables::SECRETS_KEY_FILE,
    variables::SECRETS_KEY_PREVIOUS,
    variables::SECRETS_KEY_PREVIOUS_FILE,
    variables::RECONCILER_ADMIN_LISTEN,
    variables::CORE_URLS_ALLOW,
    variables::LOG_RETENTION,
    variables::AUDIT_RETENTION,
    variables::NOTIFY_URL,
    variables::NOTIFY_SECRET,
    variables::NOTIFY_SECRET_FILE,
    variables::NOTIFY_MAIL_URL,
    variables::NOTIFY_MAIL_URL_FILE,
    variables::NOTIFY_MAIL_FROM,
    variables::NOTIFY_MAIL_TO,
    variables::OTEL_EXPORTER_OTLP_ENDPOINT,
    variables::RUST_LOG,
    variables::LOG_FORMAT,
];

/// A page of the list may be no heavier than this.
const LARGEST_PAGE: usize = 32 * 1024 * 1024;

/// Campuses at once, however many connections there may be: their cores are mostly one host.
const MOST_SIDE_BY_SIDE: usize = 4;

/// What the settings say.
pub struct Config {
    pub(crate) database: DatabaseConfig,
    pub(crate) sealer: Sealer,
    pub(crate) allowed_hosts: AllowedHosts,
    pub(crate) retention: Retention,
    /// How people are told.
    pub(crate) notifications: NotificationSettings,
}

/// How long things are kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Retention {
    /// Days of `webhook_logs`, and what belongs to them.
    pub(crate) log: Duration,
    /// Entries of `operator_log`.
    pub(crate) audit: Duration,
}

impl Config {
    /// Reads the settings.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingError> {
        Ok(Self {
            database: DatabaseConfig::from_settings(settings, crate::PROGRAM.name)?,
            sealer: Sealer::from_settings(settings)?,
            allowed_hosts: AllowedHosts::from_settings(settings)?,
            retention: Retention::from_settings(settings)?,
            notifications: NotificationSettings::from_settings(settings)?,
        })
    }

    /// How many campuses are reconciled at once. A run has two sessions of its own, and all that is
    /// open together stays within `DATABASE_POOL_SIZE` and two more.
    pub(crate) fn side_by_side(&self) -> usize {
        (self.database.pool_size() / 2).clamp(1, MOST_SIDE_BY_SIDE)
    }

    /// Connections for whatever needs no session of its own: those that runs leave.
    pub(crate) fn pool(&self) -> Result<Pool, DatabaseError> {
        let of_runs = 2 * (self.side_by_side() - 1);
        Pool::new(&self.database.with_pool_size(self.database.pool_size() - of_runs))
    }

    /// The cores of the campuses.
    pub(crate) fn cores(&self, pool: Pool) -> Result<CampusCores, ClientError> {
        let settings = ClientSettings {
            allowed: self.allowed_hosts.clone(),
            largest_answer: LARGEST_PAGE,
            ..ClientSettings::default()
        };
        CampusCores::new(pool, self.sealer.clone(), settings)
    }
}

impl Retention {
    fn from_settings(settings: &Settings) -> Result<Self, SettingError> {
        Ok(Self {
            log: settings.duration(variables::LOG_RETENTION)?,
            audit: store::audit::retention(settings)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_and_pool_together_stay_within_the_limit() {
        runtime::install_crypto_provider();
        for size in 1..=100 {
            let size_text = size.to_string();
            let settings = Settings::from_pairs([
                ("DATABASE_URL", "postgres://u:p@localhost/db"),
                ("DATABASE_POOL_SIZE", size_text.as_str()),
                ("SECRETS_KEY", "dGhlIHNlY3JldHMga2V5IG9mIHRoZSB0ZXN0cywgMzI="),
            ]);
            let config = Config::from_settings(&settings).unwrap();
            let pool = size - 2 * (config.side_by_side() - 1);
            assert!(config.side_by_side() >= 1 && pool >= 1, "{size}");
            assert!(2 * config.side_by_side() + pool <= size + 2, "{size}");
        }
    }
}
