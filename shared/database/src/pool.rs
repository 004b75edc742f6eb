//! A pool, for statements that need no session of their own.

use std::{
    future::pending,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use deadpool_postgres::{Connect, Manager, ManagerConfig, PoolError, RecyclingMethod, Runtime};
use opentelemetry::metrics::Counter;
use runtime::metrics::{meter, observe};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

use crate::{Connected, DatabaseConfig, DatabaseError, OPEN_LIMIT};

/// A client of the pool.
pub type PooledClient = deadpool_postgres::Client;

/// A transaction on a client of the pool, which keeps the statements that it was asked to prepare.
pub type PooledTransaction<'a> = deadpool_postgres::Transaction<'a>;

/// How long a statement's turn in the pool is waited for.
const POOL_WAIT: Duration = Duration::from_secs(5);

/// Connections for statements that need no session of their own.
#[derive(Clone)]
pub struct Pool {
    inner: deadpool_postgres::Pool,
    refusal: Refusal,
    failures: Counter<u64>,
}

/// Why the pool could not connect, beside the error that deadpool insists on.
type Refusal = Arc<Mutex<Option<DatabaseError>>>;

/// Connects as everybody else does.
struct Dialer {
    database: DatabaseConfig,
    refusal: Refusal,
}

impl Connect for Dialer {
    fn connect(
        &self,
        nowhere: &tokio_postgres::Config,
    ) -> Pin<
        Box<
            dyn Future<Output = Result<(Client, JoinHandle<()>), tokio_postgres::Error>>
                + Send
                + '_,
        >,
    > {
        let nowhere = nowhere.clone();
        Box::pin(async move {
            let error = match self.database.connect().await {
                Ok(Connected { client, connection, .. }) => return Ok((client, connection)),
                Err(error) => error,
            };
            *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            // It must be an error of tokio-postgres, which has none for us: that of no host at all.
            match nowhere.connect(NoTls).await {
                Err(error) => Err(error),
                Ok(_) => pending().await,
            }
        })
    }
}

impl Pool {
    /// A pool that connects when it is first asked: a database that is away is no error here.
    pub fn new(config: &DatabaseConfig) -> Result<Self, DatabaseError> {
        let refusal = Refusal::default();
        // Verified: a session that fell silent is found when it is next taken. Recycling keeps
        // whatever a session was set to, so nothing here may use `SET` or session locks on a pooled
        // client: only `SET LOCAL` and transaction-level locks.
        let manager = Manager::from_connect(
            tokio_postgres::Config::new(),
            Dialer { database: config.clone(), refusal: Arc::clone(&refusal) },
            ManagerConfig { recycling_method: RecyclingMethod::Verified },
        );
        let pool = deadpool_postgres::Pool::builder(manager)
            .max_size(config.pool_size)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(POOL_WAIT))
            .create_timeout(Some(OPEN_LIMIT))
            .recycle_timeout(Some(POOL_WAIT))
            .build()?;
        let failures = meter()
            .u64_counter("database_pool_failures")
            .with_description("Times that the pool had no connection to give in time, or at all")
            .build();
        failures.add(0, &[]);
        Ok(Self { inner: pool, refusal, failures })
    }

    /// Shows how much of the pool is in use, whenever the metrics are asked for.
    pub fn observe(&self) {
        let status = |of: fn(&deadpool_postgres::Status) -> usize| {
            let pool = self.inner.clone();
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
        self.inner.get().await.map_err(|error| {
            self.failures.add(1, &[]);
            let refusal = match error {
                PoolError::Backend(_) => {
                    self.refusal.lock().unwrap_or_else(PoisonError::into_inner).take()
                }
                _ => None,
            };
            refusal.unwrap_or(DatabaseError::Pool(error))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use runtime::Settings;

    use super::*;

    #[tokio::test]
    async fn a_server_that_is_away_is_told_of_in_one_sentence() {
        runtime::install_crypto_provider();
        let settings = Settings::from_pairs([("DATABASE_URL", "postgres://u:p@127.0.0.1:9/db")]);
        let config = DatabaseConfig::from_settings(&settings, "test").unwrap();
        let pooled = Pool::new(&config).unwrap().get().await.err().unwrap();
        let own = config.connect().await.err().unwrap();
        for error in [pooled, own] {
            let words = error.to_string();
            assert!(words.starts_with("cannot connect to Postgres at 127.0.0.1:9: "), "{words}");
            assert_eq!((words.matches("refused").count(), error.refusal()), (1, None), "{words}");
            assert!(error.source().is_none(), "{words}");
        }
    }
}
