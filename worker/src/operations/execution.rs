//! An operation in hand: its lease, its pace, and what its operator wants of it now.

use std::time::Duration;

use ::operations::Pace;
use database::{DatabaseError, Fault, Pool, answered};
use queue::PublishError;
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
/// RabbitMQ may be away for so long before the operation is given back: another worker may have it.
const AWAY_LIMIT: Duration = Duration::from_secs(2);
/// Postgres may refuse what an operation needs for so long before the operation fails: a right that is missing is granted by
/// then, or by nobody.
const REFUSED_LIMIT: Duration = Duration::from_mins(3);
/// How long the end of an operation is tried to be written down; then its lease ends, and another worker does it.
const WRITE_DOWN_WITHIN: Duration = Duration::from_secs(5);

/// Why an operation is not carried on with here.
#[derive(Debug)]
pub(super) enum Stopped {
    /// Its operator stopped it.
    Asked,
    /// Somebody else may go on: it is paused, this worker ends, or the lease is lost.
    Left,
    /// Another worker may be able to: RabbitMQ is away from this one, in the words for who asked.
    Away(String),
    /// It cannot be carried out, for this reason.
    Failed(String),
}

/// An operation in hand.
pub(super) struct Execution<'a> {
    pub(super) pool: &'a Pool,
    pub(super) lease: Lease,
    pub(super) pace: Pace,
    /// So many are done, by its row.
    pub(super) done: i64,
    shutdown: &'a CancellationToken,
    /// What it waits for.
    waits: Option<String>,
    away_since: Option<Instant>,
    refused: Refused,
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
            done: operation.done,
            shutdown,
            waits: None,
            away_since: None,
            refused: Refused::default(),
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
                    self.postgres_failed(&error)?;
                    self.shutdown.run_until_cancelled(sleep(PAUSE)).await;
                    continue;
                }
            };
            self.done = control.done;
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

    /// RabbitMQ took nothing.
    pub(super) fn broker_failed(&mut self, error: PublishError) -> Result<(), Stopped> {
        let what = format!("{error}: waiting for it");
        self.wait_for(what.clone());
        let since = *self.away_since.get_or_insert_with(Instant::now);
        if since.elapsed() < AWAY_LIMIT { Ok(()) } else { Err(Stopped::Away(what)) }
    }

    /// It goes on.
    pub(super) fn goes_on(&mut self) {
        self.waits = None;
        self.away_since = None;
        self.refused = Refused::default();
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
                self.not_before = Instant::now() + PAUSE;
                self.postgres_failed(&error)
            }
        }
    }

    /// What Postgres refuses although it is there is said to who asked, and not tried for ever.
    fn postgres_failed(&mut self, error: &DatabaseError) -> Result<(), Stopped> {
        if self.failures.is_worth_a_line(&error.to_string()) {
            tracing::warn!(operation_id = %self.lease.operation, %error, "an operation waits for Postgres");
        }
        let Some(state) = error.refused() else { return Ok(()) };
        if self.refused.is_too_long(state) {
            return Err(Stopped::Failed(error.to_string()));
        }
        self.waits = Some(format!("{error}: trying again"));
        Ok(())
    }

    /// Gives the operation back; `waits` is what it waits for.
    pub(super) async fn leave(&self, waits: Option<&str>) {
        let given_back = async {
            let client = self.pool.get().await?;
            self.lease.release(&client, waits).await
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

/// What Postgres refuses, and since when.
#[derive(Debug, Default)]
struct Refused(Option<(String, Instant)>);

impl Refused {
    /// Whether it has been refused with this SQLSTATE for too long, this time included.
    fn is_too_long(&mut self, state: &str) -> bool {
        match &self.0 {
            Some((before, since)) if before == state => since.elapsed() > REFUSED_LIMIT,
            _ => {
                self.0 = Some((state.to_owned(), Instant::now()));
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_same_refusal_is_not_borne_for_ever() {
        let mut refused = Refused::default();
        assert!(!refused.is_too_long("42501"));
        tokio::time::advance(REFUSED_LIMIT).await;
        assert!(!refused.is_too_long("42501"));
        tokio::time::advance(PAUSE).await;
        assert!(refused.is_too_long("42501"));
        assert!(!refused.is_too_long("57014"), "another one is new");
    }
}
