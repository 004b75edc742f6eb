//! Operations: taken, carried out side by side, ended or given back.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use database::{DatabaseError, Pool, answered};
use futures_util::FutureExt;
use instances::Instance;
use queue::{PublishError, Publisher};
use runtime::FailureLog;
use store::{
    OperationKind, OperationState,
    operations::{self, End, Lease},
    records::OperationRecord,
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::operations::{
    execution::{Execution, Stopped},
    hands::{Hands, Released},
    letters, resync,
};

/// Between looks for an operation that waits.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Those that need no RabbitMQ.
const IN_POSTGRES: [OperationKind; 2] = [OperationKind::Discard, OperationKind::Restore];
/// Those that publish.
const PUBLISHING: [OperationKind; 2] = [OperationKind::Replay, OperationKind::Resync];

/// Takes operations for a worker.
pub(crate) struct Executor {
    pub(crate) pool: Pool,
    pub(crate) publisher: Publisher,
    /// This instance, as its row of `instances` has it.
    pub(crate) instance: Instance,
    /// An operation under way is then given back after its batch, so that another worker goes on.
    pub(crate) shutdown: CancellationToken,
    /// So many side by side: one that is slow, or waits, holds up no other.
    pub(crate) at_once: usize,
}

impl Executor {
    /// Carries out what is asked for, until the shutdown.
    pub(crate) async fn keep(self) {
        let executor = Arc::new(self);
        let mut hands = Hands::default();
        let mut failures = FailureLog::default();
        while !executor.shutdown.is_cancelled() {
            hands.look();
            match answered(executor.take(&hands)).await {
                Ok(Some(operation)) => {
                    failures.forget();
                    let id = operation.id;
                    hands.take(id, Arc::clone(&executor).carry_out(operation));
                    continue;
                }
                Ok(None) => failures.forget(),
                Err(error) if failures.is_worth_a_line(&error.to_string()) => {
                    tracing::warn!(%error, "cannot look for operations");
                }
                Err(error) => tracing::debug!(%error, "still cannot look for operations"),
            }
            tokio::select! {
                () = executor.shutdown.cancelled() => {}
                () = hands.one_ends() => {}
                () = sleep(LOOK_EVERY) => {}
            }
        }
        hands.empty().await;
    }

    /// Those that publish are left to other workers where this one has no RabbitMQ.
    async fn take(&self, hands: &Hands) -> Result<Option<OperationRecord>, DatabaseError> {
        let mut client = self.pool.get().await?;
        if hands.number() >= self.at_once {
            let why = format!("a worker carries out {} others: waiting for one", self.at_once);
            operations::say_why(&client, &OperationKind::OF_WORKERS, &why).await?;
            return Ok(None);
        }
        let is_connected = self.publisher.is_connected();
        let kinds: &[_] = if is_connected { &OperationKind::OF_WORKERS } else { &IN_POSTGRES };
        let apart = hands.apart();
        let taken = operations::take(&mut client, kinds, self.instance.id(), &apart).await?;
        if taken.is_none() && !is_connected {
            let why = format!("{}: waiting for it", PublishError::Away);
            operations::say_why(&client, &PUBLISHING, &why).await?;
        }
        Ok(taken)
    }

    async fn carry_out(self: Arc<Self>, operation: OperationRecord) -> Released {
        let lease = Lease::new(operation.id, self.instance.id(), self.instance.to_string());
        tracing::info!(
            operation_id = %operation.id, kind = operation.kind, done = operation.done,
            "an operation is carried out"
        );
        let mut execution = Execution::new(&self.pool, lease, &operation, &self.shutdown);
        let work = async {
            if operation.kind() == Some(OperationKind::Resync) {
                resync::carry_out(&mut execution, &operation, &self.publisher).await
            } else {
                letters::carry_out(&mut execution, &operation, &self.publisher).await
            }
        };
        let end = match unless_it_panics(work).await {
            Ok(end) => end,
            Err(Stopped::Asked) => End::of(OperationState::Stopped),
            Err(Stopped::Failed(reason)) => {
                End { error: Some(reason), ..End::of(OperationState::Failed) }
            }
            Err(Stopped::Left) => {
                execution.leave(None).await;
                return Released::Freely;
            }
            Err(Stopped::Away(what)) => {
                execution.leave(Some(&what)).await;
                return Released::StandingBack;
            }
        };
        execution.end(&end).await;
        Released::Freely
    }
}

/// What no program can carry out ends: given back, it would panic in the next worker, and in each after it.
async fn unless_it_panics(
    work: impl Future<Output = Result<End, Stopped>>,
) -> Result<End, Stopped> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| {
        Err(Stopped::Failed(
            "the worker that carried it out panicked: its log says where".to_owned(),
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_operation_that_panics_fails() {
        let ended = unless_it_panics(async { panic!("on what is in a row") }).await;
        assert!(matches!(ended, Err(Stopped::Failed(reason)) if reason.contains("panicked")));
        let ended = unless_it_panics(async { Err(Stopped::Asked) }).await;
        assert!(matches!(ended, Err(Stopped::Asked)));
    }
}
