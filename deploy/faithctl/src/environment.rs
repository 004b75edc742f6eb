//! What a command may ask of the environment it was started in: settings, and what they lead to.

use std::io::IsTerminal;

use campus::Sealer;
use core_api::AllowedHosts;
use database::{Client, DatabaseConfig};
use queue::{AmqpConfig, Broker};
use runtime::{SettingError, Settings, variables};
use store::audit::AUDIT;
use url::Url;

use crate::{change::Change, input::web_address};

/// The settings, and the dependencies behind them. Each is looked at only by the commands that
/// need it: `migrate` must not ask for a secrets key.
pub(crate) struct Environment {
    settings: Settings,
    change: Change,
}

impl Environment {
    /// The environment of this process. A command's log lines are warnings unless asked for more;
    /// lapin would also report the missing queues that `status` asks for, a connection each try to
    /// make it again, which a replay tells in its own words, and rustls a machine without
    /// certificates, which is provided for. What is changed is logged for whoever collects such lines, which nobody does on
    /// a terminal.
    pub(crate) fn of_this_process(change: Change) -> Result<Self, SettingError> {
        let settings = Settings::from_environment()?;
        let is_collected = settings
            .optional(variables::LOG_FORMAT)
            .map_or_else(|| !std::io::stderr().is_terminal(), |format| format == "json");
        let audit = if is_collected { "info" } else { "off" };
        let settings = settings.with_default(
            variables::RUST_LOG,
            &format!(
                "warn,lapin=off,queue::connection=off,rustls_platform_verifier=off,{AUDIT}={audit}"
            ),
        );
        Ok(Self { settings, change })
    }

    /// What this command changes, where it does.
    pub(crate) fn change(&self) -> &Change {
        &self.change
    }

    /// The settings themselves.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where Postgres is.
    pub(crate) fn database(&self) -> Result<DatabaseConfig, SettingError> {
        DatabaseConfig::from_settings(&self.settings, "faithctl")
    }

    /// A session with Postgres.
    pub(crate) async fn client(&self) -> anyhow::Result<Client> {
        Ok(self.database()?.connect().await?.client)
    }

    /// What secrets are sealed with.
    pub(crate) fn sealer(&self) -> Result<Sealer, SettingError> {
        Sealer::from_settings(&self.settings)
    }

    /// Where RabbitMQ is.
    pub(crate) fn broker(&self) -> Result<Broker, SettingError> {
        Ok(Broker::new(AmqpConfig::from_settings(&self.settings)?, "faithctl"))
    }

    /// The hosts that a core API may have although they are private or not https.
    pub(crate) fn allowed_hosts(&self) -> Result<AllowedHosts, SettingError> {
        AllowedHosts::from_settings(&self.settings)
    }

    /// The console's address as browsers see it.
    pub(crate) fn console_url(&self) -> Result<Url, SettingError> {
        let wrong = |problem| {
            SettingError::new(
                variables::CONSOLE_URL,
                problem,
                "for example https://console.example.org",
            )
        };
        if let Some(text) = self.settings.optional(variables::CONSOLE_URL) {
            return web_address(text).map_err(|_| wrong("is not an http(s) URL"));
        }
        let address = self.settings.address(variables::CONSOLE_LISTEN)?;
        web_address(&format!("http://{address}")).map_err(|_| wrong("is not set"))
    }

    /// The gateway's address as senders see it, where it is known.
    pub(crate) fn public_url(&self) -> Result<Option<Url>, SettingError> {
        self.settings
            .optional(variables::PUBLIC_URL)
            .map(|text| {
                web_address(text).map_err(|_| {
                    SettingError::new(
                        variables::PUBLIC_URL,
                        "is not an http(s) URL",
                        "for example https://faithtracker.example.org",
                    )
                })
            })
            .transpose()
    }
}
