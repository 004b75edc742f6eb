//! A connection that is made again for ever: lapin's own recovery is not used, since it can hang
//! after a broker restart.

use std::time::{Duration, Instant};

use lapin::Connection;
use rand::RngExt;
use runtime::{Check, FailureLog};
use tokio_util::sync::CancellationToken;

use crate::{
    broker::Broker, condition::STEADY, declarations::Declarations, declared, error::QueueError,
};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// A dependency that is away is tried at least every 5 s (interface §1).
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// How long the declaration of queues may take, while their leaders are elected for instance.
const DECLARE_LIMIT: Duration = Duration::from_secs(10);

/// What one connection is made of and watched for.
#[derive(Clone)]
pub struct Link {
    /// Where to connect.
    pub broker: Broker,
    /// What to declare on every new connection.
    pub declarations: Declarations,
    /// Says whether what the connection is for can be done.
    pub check: Check,
}

impl Link {
    /// Keeps a connection up and does `work` on it until `shutdown`.
    ///
    /// `work` says itself that it is well, once it is at work: a connection alone does nothing. It
    /// returns when the connection is of no more use; its error is logged. After `shutdown` it is
    /// expected to finish what it holds and return.
    pub async fn keep<W>(&self, shutdown: &CancellationToken, mut work: impl FnMut(Connection) -> W)
    where
        W: Future<Output = Result<(), QueueError>>,
    {
        let (mut pause, mut failures) = (FIRST_PAUSE, FailureLog::default());
        let connection_name = self.broker.name();
        let mut doubt = false;
        // Why the last connection failed is said until the next one is at work: one steady reason.
        let mut failed = false;
        while !shutdown.is_cancelled() {
            match self.open(doubt).await {
                Ok(connection) => {
                    if !failed {
                        self.check.failing("connected, and not at work yet");
                    }
                    let began = Instant::now();
                    let result = work(connection).await;
                    if shutdown.is_cancelled() {
                        return;
                    }
                    if began.elapsed() >= STEADY {
                        pause = FIRST_PAUSE;
                        failures.forget();
                    }
                    doubt = result.as_ref().is_err_and(QueueError::is_about_rights);
                    let reason = result.err().map_or_else(
                        || "the connection was closed".to_owned(),
                        |error| error.to_string(),
                    );
                    if failures.is_worth_a_line(&reason) {
                        tracing::warn!(
                            reason,
                            connection_name,
                            "the connection to RabbitMQ was lost"
                        );
                    } else {
                        tracing::debug!(
                            reason,
                            connection_name,
                            "the connection to RabbitMQ was lost again"
                        );
                    }
                    self.check.failing(reason);
                }
                Err(error) => {
                    let error = error.to_string();
                    if failures.is_worth_a_line(&error) {
                        tracing::warn!(error, connection_name, "no connection to RabbitMQ");
                    } else {
                        tracing::debug!(error, connection_name, "still no connection to RabbitMQ");
                    }
                    self.check.failing(error);
                }
            }
            failed = true;
            // Jitter, so that a fleet does not come back in one instant.
            let jittered = pause.mul_f64(rand::rng().random_range(0.5..1.0));
            tokio::select! {
                () = tokio::time::sleep(jittered) => {}
                () = shutdown.cancelled() => return,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Connects, and declares. `doubt` whether anything can be published: the last connection ended
    /// for that.
    async fn open(&self, doubt: bool) -> Result<Connection, QueueError> {
        let connection = self.broker.connect().await?;
        let prepare = async {
            self.declare(&connection).await?;
            match self.declarations.exchange().filter(|_| doubt) {
                Some(exchange) => declared::may_publish(&connection, exchange).await,
                None => Ok(()),
            }
        };
        match tokio::time::timeout(DECLARE_LIMIT, prepare).await {
            Ok(Ok(())) => Ok(connection),
            Ok(Err(error)) => {
                // Not left to its drop: what is wrong here may be wrong for long.
                connection.close(200, "of no use".into()).await.ok();
                Err(error)
            }
            Err(_) => {
                self.broker.avoid();
                Err(QueueError::Timeout("the declaration of queues".to_owned()))
            }
        }
    }

    /// Declares everything again, for whoever finds something missing.
    pub async fn declare(&self, connection: &Connection) -> Result<(), QueueError> {
        self.declarations.declare(connection).await
    }
}
