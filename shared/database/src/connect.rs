//! Single sessions, for those who need one of their own, and a pool for everyone else.

use std::{error::Error, future::poll_fn, time::Duration};

use deadpool_postgres::{Manager, ManagerConfig, PoolError, RecyclingMethod, Runtime, TimeoutType};
use opentelemetry::metrics::Counter;
use runtime::metrics::{meter, observe};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_postgres::{AsyncMessage, Client, config::Host, error::SqlState};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::DatabaseConfig;

/// A client of the pool.
pub type PooledClient = deadpool_postgres::Client;

/// A transaction on a client of the pool, which keeps the statements that it was asked to prepare.
pub type PooledTransaction<'a> = deadpool_postgres::Transaction<'a>;

/// How long a statement's turn in the pool is waited for.
const POOL_WAIT: Duration = Duration::from_secs(5);

/// How long a new session may take, from the first packet until it can be used.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// How long an answer is waited for: a little longer than Postgres itself lets a statement run.
///
/// Keepalives find a peer that is gone, but not one that is there and says nothing: a proxy that
/// has lost the server behind it answers them for ever.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(35);

/// Waits for what Postgres is asked, but not for ever. The session it was asked on must not be used
/// again after an error; a pool finds that out by itself.
pub async fn answered<T, E: From<DatabaseError>>(
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    tokio::time::timeout(ANSWER_LIMIT, answer)
        .await
        .unwrap_or_else(|_| Err(DatabaseError::Silent.into()))
}

/// Postgres could not be reached, or did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// No connection.
    #[error("cannot connect to Postgres at {address}: {}", in_full(.error))]
    Connect {
        /// Where it was looked for, without credentials.
        address: String,
        /// Why there is none.
        error: tokio_postgres::Error,
    },
    /// No connection from the pool.
    #[error("cannot get a connection to Postgres: {}", of_pool(.0))]
    Pool(PoolError),
    /// The pool could not be made.
    #[error("cannot make a pool of connections: {0}")]
    Build(#[from] deadpool_postgres::BuildError),
    /// It says nothing.
    #[error("Postgres does not answer")]
    Silent,
    /// A statement failed.
    #[error("cannot {operation}: {source}")]
    Statement {
        /// What was being done, as the end of "cannot …".
        operation: &'static str,
        /// Why it failed.
        source: tokio_postgres::Error,
    },
}

/// An error with what it does not say of its causes: tokio-postgres tells of a TLS handshake only that it
/// failed, and an operator needs to know that it was the certificate.
fn in_full(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !words.contains(&text) {
            words = format!("{words}: {text}");
        }
        cause = error.source();
    }
    words
}

/// The pool's own words for a server that is away are "Error occurred while creating a new object".
fn of_pool(error: &PoolError) -> String {
    match error {
        PoolError::Backend(cause) => in_full(cause),
        PoolError::Timeout(TimeoutType::Wait) => "all of the pool's are in use".to_owned(),
        PoolError::Timeout(_) => "Postgres does not answer".to_owned(),
        other => in_full(other),
    }
}

impl DatabaseError {
    /// The SQLSTATE that a session was refused with.
    pub fn refusal(&self) -> Option<&str> {
        let Self::Connect { error, .. } = self else { return None };
        error.code().map(SqlState::code)
    }

    /// Wraps a statement's error with what it was for: `.map_err(DatabaseError::during("…"))`.
    pub fn during(operation: &'static str) -> impl FnOnce(tokio_postgres::Error) -> Self {
        move |source| Self::Statement { operation, source }
    }
}

/// A session of one's own.
pub struct Connected {
    /// The session.
    pub client: Client,
    /// `NOTIFY` payloads, for those who `LISTEN`; ends when the session does.
    pub notifications: mpsc::UnboundedReceiver<String>,
    /// Ends when the session does.
    pub connection: JoinHandle<()>,
}

impl DatabaseConfig {
    /// Opens a session. It ends when the client is dropped or the connection is lost.
    pub async fn connect(&self) -> Result<Connected, DatabaseError> {
        let connected =
            tokio::time::timeout(CONNECT_LIMIT, self.postgres.connect(self.connector())).await;
        let (client, mut connection) = connected
            .map_err(|_| DatabaseError::Silent)?
            .map_err(|error| DatabaseError::Connect { address: self.address(), error })?;
        let (sender, notifications) = mpsc::unbounded_channel();
        let connection = tokio::spawn(async move {
            loop {
                match poll_fn(|context| connection.poll_message(context)).await {
                    Some(Ok(AsyncMessage::Notification(notification))) => {
                        // Nobody listening is no loss: the session may be used for more.
                        sender.send(notification.payload().to_owned()).ok();
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => {
                        tracing::debug!(%error, "a Postgres session was lost");
                        return;
                    }
                    None => return,
                }
            }
        });
        Ok(Connected { client, notifications, connection })
    }

    /// Every host with its port.
    fn address(&self) -> String {
        let ports = self.postgres.get_ports();
        let addresses = self.postgres.get_hosts().iter().enumerate().map(|(index, host)| {
            // One port stands for all hosts.
            let port = ports.get(index).or(ports.first()).unwrap_or(&5432);
            match host {
                Host::Tcp(name) => format!("{name}:{port}"),
                Host::Unix(folder) => format!("{} ({port})", folder.display()),
            }
        });
        addresses.collect::<Vec<_>>().join(", ")
    }

    fn connector(&self) -> MakeRustlsConnect {
        MakeRustlsConnect::new((*self.tls).clone())
    }
}

/// Connections for statements that need no session of their own.
#[derive(Clone)]
pub struct Pool {
    pool: deadpool_postgres::Pool,
    failures: Counter<u64>,
}

impl Pool {
    /// A pool that connects when it is first asked: a database that is away is no error here.
    pub fn new(config: &DatabaseConfig) -> Result<Self, DatabaseError> {
        // Verified: a session that fell silent is found when it is next taken. Recycling keeps
        // whatever a session was set to, so nothing here may use `SET` or session locks on a pooled
        // client: only `SET LOCAL` and transaction-level locks.
        let manager = Manager::from_config(
            config.postgres.clone(),
            config.connector(),
            ManagerConfig { recycling_method: RecyclingMethod::Verified },
        );
        let pool = deadpool_postgres::Pool::builder(manager)
            .max_size(config.pool_size)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(POOL_WAIT))
            .create_timeout(Some(POOL_WAIT))
            .recycle_timeout(Some(POOL_WAIT))
            .build()?;
        let failures = meter()
            .u64_counter("database_pool_failures")
            .with_description("Times that the pool had no connection to give in time, or at all")
            .build();
        failures.add(0, &[]);
        Ok(Self { pool, failures })
    }

    /// Shows how much of the pool is in use, whenever the metrics are asked for.
    pub fn observe(&self) {
        let status = |of: fn(&deadpool_postgres::Status) -> usize| {
            let pool = self.pool.clone();
            move || Some(f64::from(u32::try_from(of(&pool.status())).unwrap_or(u32::MAX)))
        };
        observe(
            "database_pool_connections_in_use",
            "Connections to Postgres that are lent out",
            status(|status| status.size.saturating_sub(status.available)),
        );
        observe(
            "database_pool_connections_limit",
            "Connections that the pool may hold",
            status(|status| status.max_size),
        );
        observe(
            "database_pool_waiting",
            "Those who wait for a connection",
            status(|status| status.waiting),
        );
    }

    /// A connection, within a few seconds or an error.
    pub async fn get(&self) -> Result<PooledClient, DatabaseError> {
        self.pool.get().await.map_err(|error| {
            self.failures.add(1, &[]);
            DatabaseError::Pool(error)
        })
    }
}

#[cfg(test)]
mod tests {
    use runtime::Settings;

    use super::*;

    #[tokio::test]
    async fn a_server_that_is_away_is_told_of_in_one_sentence() {
        runtime::install_crypto_provider();
        let settings = Settings::from_pairs([("DATABASE_URL", "postgres://u:p@127.0.0.1:9/db")]);
        let config = DatabaseConfig::from_settings(&settings, "test").unwrap();
        let error = Pool::new(&config).unwrap().get().await.err().unwrap();
        let words = error.to_string();
        assert!(words.starts_with("cannot get a connection to Postgres: "), "{words}");
        assert_eq!(words.matches("refused").count(), 1, "{words}");
        assert!(!words.contains("object") && error.source().is_none(), "{words}");
        let error = config.connect().await.err().unwrap();
        let words = error.to_string();
        assert!(words.starts_with("cannot connect to Postgres at 127.0.0.1:9: "), "{words}");
        assert_eq!((words.matches("refused").count(), error.refusal()), (1, None), "{words}");
    }
}
