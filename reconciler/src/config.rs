//! The reconciler's settings.

use std::time::Duration;

use campus::Sealer;
use database::DatabaseConfig;
use runtime::{SettingError, Settings, Variable, variables};

/// The variables that the reconciler reads.
pub const VARIABLES: &[Variable] = &[
    variables::DATABASE_URL,
    variables::DATABASE_POOL_SIZE,
    variables::SECRETS_KEY,
    variables::SECRETS_KEY_FILE,
    variables::SECRETS_KEY_PREVIOUS,
    variables::RECONCILER_ADMIN_LISTEN,
    variables::LOG_RETENTION,
    variables::OTEL_EXPORTER_OTLP_ENDPOINT,
    variables::RUST_LOG,
    variables::LOG_FORMAT,
];

/// What the settings say.
pub struct Config {
    pub(crate) database: DatabaseConfig,
    /// Age at which days of `webhook_logs` are dropped.
    pub(crate) log_retention: Duration,
}

impl Config {
    /// Reads the settings.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingError> {
        // Every program that will ask a core is told at its start that the key is missing, and not
        // on the night when it first needs it.
        Sealer::from_settings(settings)?;
        Ok(Self {
            database: DatabaseConfig::from_settings(settings, crate::PROGRAM.name)?,
            log_retention: settings.duration(variables::LOG_RETENTION)?,
        })
    }
}
