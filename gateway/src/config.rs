//! The gateway's settings.

use std::net::SocketAddr;

use campus::Sealer;
use database::DatabaseConfig;
use queue::{AmqpConfig, Topology};
use runtime::{SettingError, Settings, Variable, variables};

use crate::{BODY_BUDGET_BYTES, tls::Tls};

/// The variables that the gateway reads.
pub const VARIABLES: &[Variable] = &[
    variables::DATABASE_URL,
    variables::DATABASE_URL_FILE,
    variables::AMQP_URL,
    variables::AMQP_URL_FILE,
    variables::AMQP_CA_FILE,
    variables::SECRETS_KEY,
    variables::SECRETS_KEY_FILE,
    variables::SECRETS_KEY_PREVIOUS,
    variables::SECRETS_KEY_PREVIOUS_FILE,
    variables::GATEWAY_LISTEN,
    variables::GATEWAY_ADMIN_LISTEN,
    variables::TLS_CERT_FILE,
    variables::TLS_KEY_FILE,
    variables::GATEWAY_MAX_BODY_BYTES,
    variables::QUEUE_MAX_LENGTH,
    variables::OTEL_EXPORTER_OTLP_ENDPOINT,
    variables::RUST_LOG,
    variables::LOG_FORMAT,
];

/// What the settings say.
pub struct Config {
    pub(crate) listen: SocketAddr,
    /// None: plain HTTP, for a proxy in front that speaks TLS.
    pub(crate) tls: Option<Tls>,
    pub(crate) max_body_bytes: usize,
    pub(crate) database: DatabaseConfig,
    pub(crate) amqp: AmqpConfig,
    pub(crate) topology: Topology,
    pub(crate) sealer: Sealer,
}

impl Config {
    /// Reads the settings.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingError> {
        // A body beyond the budget of them all could never be taken.
        let largest = u64::try_from(BODY_BUDGET_BYTES).unwrap_or(u64::MAX);
        let max_body_bytes = settings.number(variables::GATEWAY_MAX_BODY_BYTES, 1..=largest)?;
        Ok(Self {
            listen: settings.address(variables::GATEWAY_LISTEN)?,
            tls: Tls::from_settings(settings)?,
            max_body_bytes: usize::try_from(max_body_bytes).unwrap_or(BODY_BUDGET_BYTES),
            database: DatabaseConfig::from_settings(settings, "gateway")?,
            amqp: AmqpConfig::from_settings(settings)?,
            topology: Topology {
                work_max_length: settings
                    .number(variables::QUEUE_MAX_LENGTH, 1..=i64::MAX.unsigned_abs())?,
            },
            sealer: Sealer::from_settings(settings)?,
        })
    }
}
