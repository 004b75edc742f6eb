//! The worker's settings.

use campus::Sealer;
use core_api::AllowedHosts;
use database::DatabaseConfig;
use queue::{AmqpConfig, Topology};
use retry::RetrySchedule;
use runtime::{
    SettingError, Settings, Variable,
    variables::{self, ranges},
};

/// The variables that the worker reads.
pub const VARIABLES: &[Variable] = &[
    variables::DATABASE_URL,
    variables::DATABASE_URL_FILE,
    variables::DATABASE_POOL_SIZE,
    variables::AMQP_URL,
    variables::AMQP_URL_FILE,
    variables::AMQP_CA_FILE,
    variables::SECRETS_KEY,
    variables::SECRETS_KEY_FILE,
    variables::SECRETS_KEY_PREVIOUS,
    variables::SECRETS_KEY_PREVIOUS_FILE,
    variables::WORKER_ADMIN_LISTEN,
    variables::QUEUE_MAX_LENGTH,
    variables::WORKER_PREFETCH,
    variables::WORKER_CORE_CONCURRENCY,
    variables::WORKER_ANSWER_BYTES,
    variables::RETRY_DELAYS,
    variables::RETRY_OUTAGE_AGE,
    variables::CORE_URLS_ALLOW,
    variables::OTEL_EXPORTER_OTLP_ENDPOINT,
    variables::RUST_LOG,
    variables::LOG_FORMAT,
];

/// What the settings say.
pub struct Config {
    pub(crate) database: DatabaseConfig,
    pub(crate) amqp: AmqpConfig,
    pub(crate) topology: Topology,
    pub(crate) sealer: Sealer,
    pub(crate) schedule: RetrySchedule,
    pub(crate) allowed_hosts: AllowedHosts,
    /// Unacknowledged events held at once.
    pub(crate) prefetch: u16,
    /// Requests under way for each campus.
    pub(crate) core_concurrency: usize,
    /// Bytes of the core's answers held at once.
    pub(crate) answer_bytes: usize,
}

impl Config {
    /// Reads the settings.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingError> {
        let prefetch = settings.number(variables::WORKER_PREFETCH, ranges::WORKER_PREFETCH)?;
        let concurrency =
            settings.number(variables::WORKER_CORE_CONCURRENCY, ranges::WORKER_CORE_CONCURRENCY)?;
        let answer_bytes =
            settings.number(variables::WORKER_ANSWER_BYTES, ranges::WORKER_ANSWER_BYTES)?;
        Ok(Self {
            database: DatabaseConfig::from_settings(settings, "worker")?,
            amqp: AmqpConfig::from_settings(settings)?,
            topology: Topology::from_settings(settings)?,
            sealer: Sealer::from_settings(settings)?,
            schedule: RetrySchedule::from_settings(settings)?,
            allowed_hosts: AllowedHosts::from_settings(settings)?,
            prefetch: u16::try_from(prefetch).unwrap_or(u16::MAX),
            core_concurrency: usize::try_from(concurrency).unwrap_or(usize::MAX),
            answer_bytes: usize::try_from(answer_bytes).unwrap_or(usize::MAX),
        })
    }
}
