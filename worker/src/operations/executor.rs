//! One operation at a time: taken, carried out, ended or given back.

use std::time::Duration;

use database::{DatabaseError, Pool, answered};
use instances::Instance;
use queue::Publisher;
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
    letters, resync,
};

/// Between looks for an operation that waits.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Takes operations for a worker.
pub(crate) struct Executor {
    pub(crate) pool: Pool,
    pub(crate) publisher: Publisher,
    /// This instance, as its row of `instances` has it.
    pub(crate) instance: Instance,
    /// An operation under way is then given back after its batch, so that another worker goes on.
    pub(crate) shutdown: CancellationToken,
}

impl Executor {
    /// Carries out what is asked for, until the shutdown.
    pub(crate) async fn keep(self) {
        let mut failures = FailureLog::default();
        while !self.shutdown.is_cancelled() {
            match answered(self.take()).await {
                Ok(Some(operation)) => {
                    failures.forget();
                    self.carry_out(operation).await;
                    continue;
                }
                Ok(None) => failures.forget(),
                Err(error) if failures.is_worth_a_line(&error.to_string()) => {
                    tracing::warn!(%error, "cannot look for operations");
                }
                Err(error) => tracing::debug!(%error, "still cannot look for operations"),
            }
            self.shutdown.run_until_cancelled(sleep(LOOK_EVERY)).await;
        }
    }

    async fn take(&self) -> Result<Option<OperationRecord>, DatabaseError> {
        let mut client = self.pool.get().await?;
        operations::take(&mut client, &OperationKind::OF_WORKERS, self.instance.id()).await
    }

    async fn carry_out(&self, operation: OperationRecord) {
        let lease = Lease::new(operation.id, self.instance.id(), self.instance.to_string());
        tracing::info!(
            operation_id = %operation.id, kind = operation.kind, done = operation.done,
            "an operation is carried out"
        );
        let mut execution = Execution::new(&self.pool, lease, &operation, &self.shutdown);
        let result = if operation.kind() == Some(OperationKind::Resync) {
            resync::carry_out(&mut execution, &operation, &self.publisher).await
        } else {
            letters::carry_out(&mut execution, &operation, &self.publisher).await
        };
        let end = match result {
            Ok(end) => end,
            Err(Stopped::Asked) => End::of(OperationState::Stopped),
            Err(Stopped::Failed(reason)) => {
                End { error: Some(reason), ..End::of(OperationState::Failed) }
            }
            Err(Stopped::Left) => return execution.leave().await,
        };
        execution.end(&end).await;
    }
}
