//! Runs that an operator asks for: taken, run under the campus's lock as any other, ended or given back (rule reconciler-16).

use std::{sync::Arc, time::Duration};

use database::{DatabaseError, Pool, answered};
use instances::Instance;
use store::{
    OperationKind, OperationState, RunStatus,
    dead_letters::SelectionError,
    operations::{self, Control, End, Lease, LeaseError},
    records::OperationRecord,
};
use tokio::time::sleep;
use uuid::Uuid;

use crate::{
    error::RunError,
    report::run_report::RunReport,
    run::{
        context::RunContext,
        locked::{Ended, run_locked},
        request::{Allowance, RunRequest, Trigger},
    },
};

/// Between looks at what the operator wants: a stop is in force within a second.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Takes an operation of a reconciler's kinds.
pub(crate) async fn take(
    pool: &Pool,
    instance: Uuid,
) -> Result<Option<OperationRecord>, DatabaseError> {
    let mut client = pool.get().await?;
    operations::take(&mut client, &OperationKind::OF_RECONCILERS, instance, &[]).await
}

/// The campus that it is about.
pub(crate) fn campus_of(operation: &OperationRecord) -> Option<Uuid> {
    let campus = operation.filters.as_ref()?.get("campus_id")?.as_str()?;
    Uuid::parse_str(campus).ok()
}

/// An operation in hand.
pub(crate) struct Requested {
    pub(crate) operation: OperationRecord,
    pub(crate) instance: Instance,
}

impl Requested {
    fn lease(&self) -> Lease {
        Lease::new(self.operation.id, self.instance.id(), self.instance.to_string())
    }

    /// Runs, and writes down how the operation ended. It is given back where the campus is reconciled at this moment, where
    /// this reconciler ends, and where it is paused; then it begins anew: what a run wrote was right.
    pub(crate) async fn carry_out(self, context: Arc<RunContext>) -> Ended {
        tracing::info!(
            operation_id = %self.operation.id, kind = self.operation.kind, "an operation is carried out"
        );
        let request = match self.request() {
            Ok(request) if self.operation.state() == Some(OperationState::Running) => request,
            Ok(_) => {
                self.end(&context.pool, &End::of(OperationState::Stopped)).await;
                return Ok(None);
            }
            Err(error) => {
                self.end(&context.pool, &failed(error.to_string(), None)).await;
                return Ok(None);
            }
        };
        let stop = context.stop.child_token();
        let run = run_locked(request, Arc::clone(&context), stop.clone());
        tokio::pin!(run);
        let mut wanted = OperationState::Running;
        let ended = loop {
            tokio::select! {
                ended = &mut run => break ended,
                state = self.changed(&context.pool), if wanted == OperationState::Running => {
                    wanted = state;
                    stop.cancel();
                }
            }
        };
        match end_of(&ended, wanted, stop.is_cancelled()) {
            Some(end) => self.end(&context.pool, &end).await,
            None => self.leave(&context.pool).await,
        }
        ended
    }

    fn request(&self) -> Result<RunRequest, SelectionError> {
        let other = || SelectionError::OtherKind(self.operation.kind.clone());
        let campus = campus_of(&self.operation).ok_or_else(other)?;
        let allow_archive = match self.operation.kind() {
            Some(OperationKind::AllowArchives) => Some(Allowance {
                archives: u64::from(self.operation.limit_n.ok_or_else(other)?.unsigned_abs()),
                by: self.operation.by.clone(),
            }),
            _ => None,
        };
        let is_dry_run = self.operation.kind() == Some(OperationKind::ReconcileDryRun);
        Ok(RunRequest { campus, trigger: Trigger::OnDemand, is_dry_run, allow_archive })
    }

    /// Keeps the lease until the operator wants something else, or it is lost.
    async fn changed(&self, pool: &Pool) -> OperationState {
        loop {
            sleep(LOOK_EVERY).await;
            match answered(self.look(pool)).await {
                Ok(Control { state: OperationState::Running, .. }) => {}
                Ok(Control { state, .. }) => return state,
                // Somebody else has it, and waits for the campus's lock.
                Err(LeaseError::Lost) => return OperationState::Waiting,
                Err(LeaseError::Database(error)) => {
                    tracing::debug!(%error, "cannot look at the operation");
                }
            }
        }
    }

    async fn look(&self, pool: &Pool) -> Result<Control, LeaseError> {
        self.lease().look(&*pool.get().await?, None).await
    }

    async fn end(&self, pool: &Pool, end: &End) {
        let written = async { self.lease().finish(&mut *pool.get().await?, end).await };
        match answered::<(), LeaseError>(written).await {
            Ok(()) => tracing::info!(
                operation_id = %self.operation.id, state = end.state.as_str(), error = end.error,
                "an operation has ended"
            ),
            Err(error) => tracing::warn!(
                operation_id = %self.operation.id, %error, "an operation's end was not written down"
            ),
        }
    }

    async fn leave(&self, pool: &Pool) {
        let given_back = async { self.lease().release(&*pool.get().await?, None).await };
        if let Err(LeaseError::Database(error)) = answered::<(), LeaseError>(given_back).await {
            tracing::warn!(operation_id = %self.operation.id, %error, "an operation's lease ends by itself");
        }
    }
}

/// How the operation ends; none where somebody goes on with it later.
fn end_of(ended: &Ended, wanted: OperationState, is_cut_short: bool) -> Option<End> {
    let report = ended.as_ref().ok().and_then(Option::as_ref);
    let outcome = report.map(RunReport::numbers);
    match ended {
        _ if wanted == OperationState::Stopping => {
            Some(End { outcome, ..End::of(OperationState::Stopped) })
        }
        // Paused, taken over, or this reconciler ends.
        _ if is_cut_short => None,
        Err(RunError::UnderWay | RunError::Database(_) | RunError::Lost) => None,
        Err(error) => Some(failed(error.to_string(), outcome)),
        Ok(Some(report)) if report.outcome == RunStatus::Error => {
            let reason = report.error_message().unwrap_or("the run failed").to_owned();
            Some(failed(reason, outcome))
        }
        Ok(_) => Some(End { outcome, ..End::of(OperationState::Done) }),
    }
}

fn failed(reason: String, outcome: Option<serde_json::Value>) -> End {
    End { error: Some(reason), outcome, ..End::of(OperationState::Failed) }
}
