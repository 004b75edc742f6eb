//! An operation in hand: its lease, its pace, and what its operator wants of it now.

use std::time::Duration;

use ::operations::Pace;
use database::{DatabaseError, Fault, Pool, answered};
use runtime::FailureLog;
use store::{
    OperationState,
    operations::{Control, End, Lease, LeaseError},
    records::OperationRecord,
};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Between looks at what the operator wants: a stop is in force within a second.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Between tries while Postgres or RabbitMQ is away.
const PAUSE: Duration = Duration::from_millis(500);
/// How long the end of an operation is tried to be written down; then its lease ends, and another worker does it.
const WRITE_DOWN_WITHIN: Duration = Duration::from_secs(5);

/// Why an operation is not carried on with here.
#[derive(Debug)]
pub(super) enum Stopped {
    /// Its operator stopped it.
    Asked,
    /// Somebody else may go on: it is paused, this worker ends, or the lease is lost.
    Left,
    /// It cannot be carried out, for this reason.
    Failed(String),
}

/// An operation in hand.
pub(super) struct Execution<'a> {
    pub(super) pool: &'a Pool,
    pub(super) lease: Lease,
    pub(super) pace: Pace,
    shutdown: &'a CancellationToken,
    /// What it waits for.
    waits: Option<String>,
    not_before: Instant,
    failures: FailureLog,
}

impl<'a> Execution<'a> {
    pub(super) fn new(
        pool: &'a Pool,
        lease: Lease,
        operation: &OperationRecord,
        shutdown: &'a CancellationToken,
    ) -> Self {
        Self {
            pool,
            lease,
            pace: Pace::new(operation.rate.map(i32::unsigned_abs)),
            shutdown,
            waits: None,
            not_before: Instant::now(),
            failures: FailureLog::default(),
        }
    }

    /// Waits until the next batch may begin, by the rate that holds then.
    pub(super) async fn turn(&mut self) -> Result<(), Stopped> {
        loop {
            if self.shutdown.is_cancelled() {
                return Err(Stopped::Left);
            }
            let control = match answered(self.look()).await {
                Ok(control) => control,
                Err(LeaseError::Lost) => return Err(Stopped::Left),
                Err(LeaseError::Database(error)) => {
                    self.postgres_failed(&error);
                    self.shutdown.run_until_cancelled(sleep(PAUSE)).await;
                    continue;
                }
            };
            match control.state {
                OperationState::Running => self.pace.set_rate(control.rate),
                OperationState::Stopping => return Err(Stopped::Asked),
                _ => return Err(Stopped::Left),
            }
            let (now, due) = (Instant::now(), self.pace.due().max(self.not_before));
            if due <= now {
                return Ok(());
            }
            self.shutdown.run_until_cancelled(sleep((due - now).min(LOOK_EVERY))).await;
        }
    }

    async fn look(&self) -> Result<Control, LeaseError> {
        let client = self.pool.get().await?;
        self.lease.look(&client, self.waits.as_deref()).await
    }

    /// It cannot go on now: says what it waits for, and lets it be tried again after a moment.
    pub(super) fn wait_for(&mut self, what: impl Into<String>) {
        let what = what.into();
        if self.failures.is_worth_a_line(&what) {
            tracing::warn!(operation_id = %self.lease.operation, reason = what, "an operation waits");
        }
        self.waits = Some(what);
        self.not_before = Instant::now() + PAUSE;
    }

    /// It goes on.
    pub(super) fn goes_on(&mut self) {
        self.waits = None;
    }

    /// What a batch that failed means for the operation.
    pub(super) fn failed(&mut self, error: LeaseError) -> Result<(), Stopped> {
        match error {
            LeaseError::Lost => Err(Stopped::Left),
            // No repetition helps: Postgres refuses what is in the rows.
            LeaseError::Database(error) if error.fault() == Fault::Row => {
                Err(Stopped::Failed(error.to_string()))
            }
            LeaseError::Database(error) => {
                self.postgres_failed(&error);
                self.not_before = Instant::now() + PAUSE;
                Ok(())
            }
        }
    }

    fn postgres_failed(&mut self, error: &DatabaseError) {
        if self.failures.is_worth_a_line(&error.to_string()) {
            tracing::warn!(operation_id = %self.lease.operation, %error, "an operation waits for Postgres");
        }
    }

    /// Gives the operation back.
    pub(super) async fn leave(&self) {
        let given_back = async {
            let client = self.pool.get().await?;
            self.lease.release(&client).await
        };
        match answered(given_back).await {
            Ok(()) | Err(LeaseError::Lost) => {
                tracing::info!(operation_id = %self.lease.operation, "an operation is left to others");
            }
            Err(error) => {
                tracing::warn!(operation_id = %self.lease.operation, %error, "an operation's lease ends by itself");
            }
        }
    }

    /// Writes the operation's end down. Where Postgres stays away, whoever takes the operation next finds nothing left
    /// to do, and does this.
    pub(super) async fn end(&self, end: &End) {
        let give_up = Instant::now() + WRITE_DOWN_WITHIN;
        loop {
            let written = async {
                let mut client = self.pool.get().await?;
                self.lease.finish(&mut client, end).await
            };
            match answered(written).await {
                Err(LeaseError::Database(error)) if Instant::now() < give_up => {
                    tracing::debug!(%error, "an operation's end is not written down yet");
                    sleep(PAUSE).await;
                }
                Err(error) => {
                    tracing::warn!(operation_id = %self.lease.operation, %error, "an operation's end was not written down");
                    return;
                }
                Ok(()) => {
                    tracing::info!(
                        operation_id = %self.lease.operation, state = end.state.as_str(), error = end.error,
                        "an operation has ended"
                    );
                    return;
                }
            }
        }
    }
}
