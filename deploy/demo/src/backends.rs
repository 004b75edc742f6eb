//! The database and the broker: private ones, unless the environment names others.

use std::path::Path;

use anyhow::Context;
use database::{Connected, DatabaseConfig};
use runtime::{Settings, variables};
use support::{
    process::log_tail,
    servers::{DataFolder, Postgres, RabbitMq, StopMode},
};

/// The private database.
const DATABASE: &str = "faithtracker";

/// The servers in use.
pub(super) struct Backends {
    /// Ours, unless `DATABASE_URL` names another.
    pub(super) postgres: Option<Postgres>,
    rabbitmq: Option<RabbitMq>,
    /// The URL of the tables' owner.
    pub(super) database_url: String,
    /// The URL of the vhost.
    pub(super) amqp_url: String,
}

impl Backends {
    /// Starts what is not named in the environment.
    pub(super) async fn start(folder: &DataFolder) -> anyhow::Result<Self> {
        let environment = Settings::from_environment()?;
        let named = |variable| environment.optional(variable).map(str::to_owned);
        let database = async {
            if let Some(url) = named(variables::DATABASE_URL) {
                return anyhow::Ok((None, url));
            }
            let postgres = Postgres::start(folder).await?;
            let url = postgres.url(DATABASE);
            create_database(&postgres.url("postgres")).await?;
            Ok((Some(postgres), url))
        };
        let broker = async {
            if let Some(url) = named(variables::AMQP_URL) {
                return anyhow::Ok((None, url));
            }
            let rabbitmq = RabbitMq::start(folder).await?;
            let url = format!("{}/%2f", rabbitmq.url());
            Ok((Some(rabbitmq), url))
        };
        let ((postgres, database_url), (rabbitmq, amqp_url)) = tokio::try_join!(database, broker)?;
        Ok(Self { postgres, rabbitmq, database_url, amqp_url })
    }

    /// A session of the tables' owner.
    pub(super) async fn owner(&self) -> anyhow::Result<Connected> {
        connect(&self.database_url).await
    }

    /// Waits until a server of ours has ended by itself, for ever if there is none.
    pub(super) async fn first_end(&self) -> anyhow::Error {
        let postgres = async {
            match &self.postgres {
                Some(server) => server.ended().await,
                None => std::future::pending().await,
            }
            ended("PostgreSQL", self.postgres.as_ref().map(Postgres::log))
        };
        let rabbitmq = async {
            match &self.rabbitmq {
                Some(server) => server.ended().await,
                None => std::future::pending().await,
            }
            ended("RabbitMQ", self.rabbitmq.as_ref().map(RabbitMq::log))
        };
        tokio::select! {
            error = postgres => error,
            error = rabbitmq => error,
        }
    }

    /// Stops our servers in order.
    pub(super) async fn stop(self) {
        let postgres = async {
            if let Some(server) = &self.postgres {
                server.stop(StopMode::Fast).await;
            }
        };
        let rabbitmq = async {
            if let Some(server) = &self.rabbitmq {
                server.stop().await;
            }
        };
        tokio::join!(postgres, rabbitmq);
    }
}

/// What of the shell's environment is used instead of servers of our own: nobody expects that who has forgotten that
/// it is set.
pub(super) fn named_in_environment() -> anyhow::Result<Vec<String>> {
    let environment = Settings::from_environment()?;
    let mut notes = Vec::new();
    if environment.optional(variables::DATABASE_URL).is_some() {
        let database = DatabaseConfig::from_settings(&environment, "up")?.description();
        notes.push(format!(
            "DATABASE_URL is set in this shell: its database is used ({database}), and no private PostgreSQL"
        ));
    }
    if environment.optional(variables::AMQP_URL).is_some() {
        notes.push(
            "AMQP_URL is set in this shell: its broker is used, and no private RabbitMQ".to_owned(),
        );
    }
    Ok(notes)
}

/// A session with the database at `url`.
pub(super) async fn connect(url: &str) -> anyhow::Result<Connected> {
    let settings = Settings::from_pairs([(variables::DATABASE_URL.name, url)]);
    let config = DatabaseConfig::from_settings(&settings, "up")?;
    config.connect().await.context("the database does not let us in")
}

async fn create_database(server: &str) -> anyhow::Result<()> {
    let connected = connect(server).await?;
    let exists = connected
        .client
        .query_opt("SELECT FROM pg_database WHERE datname = $1", &[&DATABASE])
        .await
        .context("cannot list databases")?
        .is_some();
    if !exists {
        let create = format!("CREATE DATABASE {DATABASE}");
        connected.client.batch_execute(&create).await.context("cannot make a database")?;
    }
    Ok(())
}

fn ended(name: &str, log: Option<&Path>) -> anyhow::Error {
    let tail = log.map(|log| log_tail(log, 10)).unwrap_or_default();
    anyhow::anyhow!("{name} has ended by itself; the end of its log:\n{tail}")
}
