//! Carrying an operation out: one program at a time has its lease.

use chrono::{DateTime, Utc};
use database::{Client, DatabaseError, Error, Transaction};
use serde_json::Value;
use thiserror::Error as ThisError;
use uuid::Uuid;

use super::{entry, waiting::GOES_FIRST};
use crate::{OperationKind, OperationState, records::OperationRecord};

/// The time of a lease, and how much of it is left when a look renews it.
const LEASE: &str = "interval '30 seconds'";
const RENEW_BELOW: &str = "interval '20 seconds'";

/// Those that take an operation do so one after another: of two that collide only one may be taken.
const TURN: &str = "SELECT pg_try_advisory_xact_lock(hashtext('faithtracker operations'))";

/// What may be taken: nobody carries it out, or whoever did has not renewed the lease.
const IS_FREE: &str = "
    one.kind = ANY($1) AND one.id <> ALL ($2) AND one.state IN ('waiting', 'running', 'stopping')
    AND (one.state = 'waiting' OR coalesce(one.lease_until < clock_timestamp(), true))";

/// A lease on an operation.
#[derive(Debug, Clone)]
pub struct Lease {
    /// The operation.
    pub operation: Uuid,
    /// Who has it.
    instance: Uuid,
    /// The same, as it shows itself.
    pub(crate) shown: String,
}

/// What an operator wants of an operation under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Control {
    /// `Running`, or what it is to become.
    pub state: OperationState,
    /// At most so many a second.
    pub rate: Option<u32>,
    /// So many are done, those among them whose commit was in doubt.
    pub done: i64,
}

/// What a batch did.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// So many more are done.
    pub done: i64,
    /// So many hold no event, in all.
    pub unreadable: i64,
    /// Where a next batch begins, for who cannot see it by what is left.
    pub position: Option<Value>,
    /// So many were done before, likewise: a batch whose commit was in doubt is not counted twice.
    pub after: Option<i64>,
}

/// Why a batch is not committed.
#[derive(Debug, ThisError)]
pub enum LeaseError {
    /// Somebody else carries the operation out, or it has ended.
    #[error("the lease on the operation is lost")]
    Lost,
    /// Postgres failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// Takes the operation that was asked for first, of those of `kinds` that nobody carries out and that wait for no other.
/// One that is `stopping` comes as such: its end is all that is missing. None of `apart` is taken: those that this instance has in
/// hand, or has just given back.
///
/// # Errors
///
/// Where Postgres does not do it.
pub async fn take(
    client: &mut Client,
    kinds: &[OperationKind],
    instance: Uuid,
    apart: &[Uuid],
) -> Result<Option<OperationRecord>, DatabaseError> {
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    let failed = || DatabaseError::during("take an operation");
    let is_any = format!("SELECT EXISTS (SELECT FROM operations one WHERE {IS_FREE})");
    let any = client.query_one(&is_any, &[&kinds, &apart]).await.map_err(failed())?;
    if !any.get::<_, bool>(0) {
        return Ok(None);
    }
    let transaction = client.transaction().await.map_err(failed())?;
    if !transaction.query_one(TURN, &[]).await.map_err(failed())?.get::<_, bool>(0) {
        return Ok(None);
    }
    let statement = format!(
        "UPDATE operations o SET state = CASE o.state WHEN 'stopping' THEN o.state ELSE 'running' END,
             error = NULL, lease_by = $3, lease_until = clock_timestamp() + {LEASE}
         WHERE o.id = (SELECT one.id FROM operations one
                       WHERE {IS_FREE}
                         AND (one.state <> 'waiting'
                              OR NOT EXISTS (SELECT FROM operations other WHERE {GOES_FIRST}))
                       ORDER BY one.created_at, one.id LIMIT 1 FOR UPDATE SKIP LOCKED)
         RETURNING {}",
        OperationRecord::RETURNED
    );
    let row = transaction.query_opt(&statement, &[&kinds, &apart, &instance]).await;
    let row = row.map_err(failed())?;
    transaction.commit().await.map_err(failed())?;
    Ok(row.as_ref().map(OperationRecord::returned))
}

impl Lease {
    /// The lease that this instance has taken; `shown` is how it shows itself.
    pub fn new(operation: Uuid, instance: Uuid, shown: String) -> Self {
        Self { operation, instance, shown }
    }

    /// What an operator wants now; renews the lease where it is due, and writes down what the operation waits for, or that
    /// it goes on.
    ///
    /// # Errors
    ///
    /// Where the lease is lost, or Postgres away.
    pub async fn look(&self, client: &Client, waits: Option<&str>) -> Result<Control, LeaseError> {
        let failed = || DatabaseError::during("look at the operation");
        let look = format!(
            "SELECT state, rate, done, error, coalesce(lease_until < clock_timestamp() + {RENEW_BELOW}, true) AS is_due
             FROM operations WHERE id = $1 AND lease_by = $2"
        );
        let row = client.query_opt(&look, &[&self.operation, &self.instance]).await;
        let row = row.map_err(failed())?.ok_or(LeaseError::Lost)?;
        let said: Option<&str> = row.get("error");
        if row.get("is_due") || said != waits {
            let renew = format!(
                "UPDATE operations SET lease_until = clock_timestamp() + {LEASE}, error = $3
                 WHERE id = $1 AND lease_by = $2"
            );
            let parameters: [&(dyn database::types::ToSql + Sync); 3] =
                [&self.operation, &self.instance, &waits];
            if client.execute(&renew, &parameters).await.map_err(failed())? == 0 {
                return Err(LeaseError::Lost);
            }
        }
        let state = OperationState::parse(row.get("state")).ok_or(LeaseError::Lost)?;
        let rate: Option<i32> = row.get("rate");
        Ok(Control { state, rate: rate.map(i32::unsigned_abs), done: row.get("done") })
    }

    /// Counts what was matched, once.
    ///
    /// # Errors
    ///
    /// Where the lease is lost, or Postgres away.
    pub async fn begin(&self, client: &Client, matched: i64) -> Result<(), LeaseError> {
        self.update(client, "matched = $3", &[&matched]).await
    }

    /// Counts a batch, in the transaction that does it: what is counted was done, and what a program did that lost
    /// its lease is not committed.
    ///
    /// # Errors
    ///
    /// Where the lease is lost, or Postgres away.
    pub async fn advance(
        &self,
        transaction: &Transaction<'_>,
        progress: &Progress,
    ) -> Result<(), LeaseError> {
        let statement = format!(
            "UPDATE operations SET done = done + $3, unreadable = $4, error = NULL,
                 outcome = CASE WHEN $5::jsonb IS NULL THEN outcome
                                ELSE coalesce(outcome, '{{}}') || jsonb_build_object('position', $5::jsonb) END,
                 lease_until = clock_timestamp() + {LEASE}
             WHERE id = $1 AND lease_by = $2 AND state IN ('waiting', 'running', 'paused', 'stopping')
                 AND done = coalesce($6, done)"
        );
        let Progress { done, unreadable, position, after } = progress;
        let parameters: [&(dyn database::types::ToSql + Sync); 6] =
            [&self.operation, &self.instance, done, unreadable, position, after];
        Self::held(transaction.execute(&statement, &parameters).await)
    }

    /// Gives the operation back: it goes on as soon as somebody takes it, unless an operator has paused it. `waits` is what
    /// it waits for.
    ///
    /// # Errors
    ///
    /// Where Postgres is away; the lease then ends by itself.
    pub async fn release(&self, client: &Client, waits: Option<&str>) -> Result<(), LeaseError> {
        let set =
            "state = CASE state WHEN 'running' THEN 'waiting' ELSE state END, lease_by = NULL,
                   lease_until = NULL, error = CASE state WHEN 'running' THEN $3::text END";
        self.update(client, set, &[&waits]).await
    }

    /// Ends the operation, and notes so in the audit.
    ///
    /// # Errors
    ///
    /// Where the lease is lost, or Postgres away.
    pub async fn finish(&self, client: &mut Client, end: &End) -> Result<(), LeaseError> {
        let failed = || DatabaseError::during("end the operation");
        let transaction = client.transaction().await.map_err(failed())?;
        let statement = format!(
            "UPDATE operations o SET state = $3, error = $4, outcome = coalesce($5, outcome - 'position'),
                 skipped = coalesce($6, skipped)
             WHERE id = $1 AND lease_by = $2 RETURNING {}",
            OperationRecord::RETURNED
        );
        let state = end.state.as_str();
        let parameters: [&(dyn database::types::ToSql + Sync); 6] =
            [&self.operation, &self.instance, &state, &end.error, &end.outcome, &end.skipped];
        let ended = transaction.query_opt(&statement, &parameters).await.map_err(failed())?;
        let ended = OperationRecord::returned(&ended.ok_or(LeaseError::Lost)?);
        let noted = entry::record(&transaction, &ended).await?;
        transaction.commit().await.map_err(failed())?;
        noted.committed();
        Ok(())
    }

    async fn update(
        &self,
        client: &Client,
        set: &str,
        more: &[&(dyn database::types::ToSql + Sync)],
    ) -> Result<(), LeaseError> {
        let statement = format!("UPDATE operations SET {set} WHERE id = $1 AND lease_by = $2");
        let own: [&(dyn database::types::ToSql + Sync); 2] = [&self.operation, &self.instance];
        let parameters: Vec<_> = own.iter().chain(more).copied().collect();
        Self::held(client.execute(&statement, &parameters).await)
    }

    fn held(updated: Result<u64, impl Into<Error>>) -> Result<(), LeaseError> {
        match updated.map_err(DatabaseError::during("write the operation's progress"))? {
            0 => Err(LeaseError::Lost),
            _ => Ok(()),
        }
    }
}

/// How an operation ends.
#[derive(Debug, Clone)]
pub struct End {
    /// `Done`, `Stopped` or `Failed`.
    pub state: OperationState,
    /// Why it failed.
    pub error: Option<String>,
    /// What became of it.
    pub outcome: Option<Value>,
    /// What was matched, and something else became of it meanwhile.
    pub skipped: Option<i64>,
}

impl End {
    /// An end with nothing to say.
    pub fn of(state: OperationState) -> Self {
        Self { state, error: None, outcome: None, skipped: None }
    }
}

/// The moment, by the database's clock.
///
/// # Errors
///
/// Where Postgres cannot be asked.
pub async fn now(client: &Client) -> Result<DateTime<Utc>, DatabaseError> {
    let row = client.query_one("SELECT clock_timestamp()", &[]).await;
    Ok(row.map_err(DatabaseError::during("ask for the time"))?.get(0))
}
