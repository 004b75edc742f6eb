//! How a test finds the servers that another process has started.

use anyhow::Context;

/// URLs of a PostgreSQL and a RabbitMQ, with the rights of their administrators.
#[derive(Clone)]
pub struct ServerAddresses {
    /// `postgres://superuser:password@host:port/postgres`
    pub postgres: String,
    /// `amqp://administrator:password@host:port`, without a vhost.
    pub amqp: String,
    /// `http://administrator:password@host:port`, of the management plugin.
    pub management: String,
}

impl ServerAddresses {
    /// Environment variable with [`ServerAddresses::postgres`].
    pub const POSTGRES: &str = "TEST_POSTGRES_URL";
    /// Environment variable with [`ServerAddresses::amqp`].
    pub const AMQP: &str = "TEST_AMQP_URL";
    /// Environment variable with [`ServerAddresses::management`].
    pub const MANAGEMENT: &str = "TEST_AMQP_MANAGEMENT_URL";

    /// The servers that `private-servers` runs for this process, or none when it was not used.
    pub fn from_environment() -> anyhow::Result<Option<Self>> {
        let Ok(postgres) = std::env::var(Self::POSTGRES) else {
            return Ok(None);
        };
        let with = |name: &str| {
            std::env::var(name)
                .with_context(|| format!("{} is set, but {name} is not", Self::POSTGRES))
        };
        Ok(Some(Self { postgres, amqp: with(Self::AMQP)?, management: with(Self::MANAGEMENT)? }))
    }

    /// The environment that tells another process.
    pub fn variables(&self) -> [(&'static str, &str); 3] {
        [
            (Self::POSTGRES, &self.postgres),
            (Self::AMQP, &self.amqp),
            (Self::MANAGEMENT, &self.management),
        ]
    }
}
