//! The reconciler's settings.

use std::time::Duration;

use campus::Sealer;
use campus_core::CampusCores;
use core_api::{AllowedHosts, ClientError, ClientSettings};
use database::{DatabaseConfig, DatabaseError, Pool};
use runtime::{SettingError, Settings, Variable, variables};

/// The variables that the reconciler reads.
pub const VARIABLES: &[Variable] = &[
    variables::DATABASE_URL,
    variables::DATABASE_POOL_SIZE,
    variables::SECRETS_KEY,
    variables::SECRETS_KEY_FILE,
    variables::SECRETS_KEY_PREVIOUS,
    variables::RECONCILER_ADMIN_LISTEN,
    variables::CORE_URLS_ALLOW,
    variables::LOG_RETENTION,
    variables::OTEL_EXPORTER_OTLP_ENDPOINT,
    variables::RUST_LOG,
    variables::LOG_FORMAT,
];

/// A page of the list may be no heavier than this.
const LARGEST_PAGE: usize = 32 * 1024 * 1024;

/// What the settings say.
pub struct Config {
    pub(crate) database: DatabaseConfig,
    pub(crate) sealer: Sealer,
    pub(crate) allowed_hosts: AllowedHosts,
    /// Age at which days of `webhook_logs` are dropped.
    pub(crate) log_retention: Duration,
}

impl Config {
    /// Reads the settings.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingError> {
        Ok(Self {
            database: DatabaseConfig::from_settings(settings, crate::PROGRAM.name)?,
            sealer: Sealer::from_settings(settings)?,
            allowed_hosts: AllowedHosts::from_settings(settings)?,
            log_retention: settings.duration(variables::LOG_RETENTION)?,
        })
    }

    /// Connections for whatever needs no session of its own.
    pub(crate) fn pool(&self) -> Result<Pool, DatabaseError> {
        Pool::new(&self.database)
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
