//! The gateway's settings.

use campus::Sealer;
use database::DatabaseConfig;
use public_port::{Tls, TrustedProxies};
use queue::{AmqpConfig, Topology};
use runtime::{
    SettingError, Settings, Variable,
    variables::{self, ranges},
};

use crate::intake::{budget::BODY_BYTES, public_socket::SocketSource};

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
    variables::GATEWAY_TRUSTED_PROXIES,
    variables::QUEUE_MAX_LENGTH,
    variables::OTEL_EXPORTER_OTLP_ENDPOINT,
    variables::RUST_LOG,
    variables::LOG_FORMAT,
];

/// What the settings say.
pub struct Config {
    pub(crate) socket: SocketSource,
    /// None: plain HTTP, for a proxy in front that speaks TLS.
    pub(crate) tls: Option<Tls>,
    pub(crate) max_body_bytes: usize,
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) database: DatabaseConfig,
    pub(crate) amqp: AmqpConfig,
    pub(crate) topology: Topology,
    pub(crate) sealer: Sealer,
}

impl Config {
    /// Reads the settings.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingError> {
        let max_body_bytes =
            settings.number(variables::GATEWAY_MAX_BODY_BYTES, ranges::GATEWAY_MAX_BODY_BYTES)?;
        Ok(Self {
            socket: SocketSource::from_settings(settings)?,
            tls: Tls::from_settings(settings)?,
            max_body_bytes: usize::try_from(max_body_bytes).unwrap_or(BODY_BYTES),
            trusted_proxies: TrustedProxies::from_settings(
                settings,
                variables::GATEWAY_TRUSTED_PROXIES,
            )?,
            database: DatabaseConfig::from_settings(settings, "gateway")?,
            amqp: AmqpConfig::from_settings(settings)?,
            topology: Topology::from_settings(settings)?,
            sealer: Sealer::from_settings(settings)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_the_budget_of_them_all_cannot_take_is_not_allowed() {
        let largest = usize::try_from(*ranges::GATEWAY_MAX_BODY_BYTES.end());
        assert_eq!(largest, Ok(BODY_BYTES));
    }
}
