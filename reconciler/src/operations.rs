//! Runs that an operator asks for: taken, run under the campus's lock as any other, ended or given back (rule reconciler-16).

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use database::{DatabaseError, Pool, answered};
use futures_util::FutureExt;
use instances::Instance;
use store::{
    OperationKind, OperationState, RunStatus,
    dead_letters::SelectionError,
    operations::{self, Control, End, Lease, LeaseError},
    records::OperationRecord,
};
use tokio::time::{Instant, sleep};
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

/// Between tries to write an end down, and for how long; then the lease ends, and another reconciler begins anew.
const PAUSE: Duration = Duration::from_millis(500);
const WRITE_DOWN_WITHIN: Duration = Duration::from_secs(15);
/// What was taken so lately and came back is left to others, or until later.
const TAKE_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// What this reconciler has taken of late: an operation whose campus is reconciled elsewhere keeps no other waiting.
#[derive(Default)]
pub(crate) struct Taken(Vec<(Uuid, Instant)>);

impl Taken {
    /// Takes an operation of a reconciler's kinds.
    pub(crate) async fn take(
        &mut self,
        pool: &Pool,
        instance: Uuid,
    ) -> Result<Option<OperationRecord>, DatabaseError> {
        self.0.retain(|(_, at)| at.elapsed() < TAKE_AGAIN_AFTER);
        let lately: Vec<Uuid> = self.0.iter().map(|(operation, _)| *operation).collect();
        let mut client = pool.get().await?;
        let kinds = OperationKind::OF_RECONCILERS;
        let taken = operations::take(&mut client, &kinds, instance, &lately).await?;
        self.0.extend(taken.iter().map(|operation| (operation.id, Instant::now())));
        Ok(taken)
    }
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
        let run = AssertUnwindSafe(run).catch_unwind();
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
        let Ok(ended) = ended else {
            // The next program that took it would crash as well.
            self.end(&context.pool, &failed(CRASHED.to_owned(), None)).await;
            return Ok(None);
        };
        if let Some(end) = end_of(&ended, wanted, stop.is_cancelled()) {
            self.end(&context.pool, &end).await;
        } else {
            let waits = ended.as_ref().err().map(ToString::to_string);
            self.leave(&context.pool, waits.as_deref()).await;
        }
        match ended {
            // Its row says so.
            Err(RunError::UnderWay) => Ok(None),
            ended => ended,
        }
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

    /// Writes the operation's end down, again and again while Postgres is away: whoever took it next would do all of it anew.
    async fn end(&self, pool: &Pool, end: &End) {
        let give_up = Instant::now() + WRITE_DOWN_WITHIN;
        loop {
            let written = async { self.lease().finish(&mut *pool.get().await?, end).await };
            match answered::<(), LeaseError>(written).await {
                Ok(()) => tracing::info!(
                    operation_id = %self.operation.id, state = end.state.as_str(), error = end.error,
                    "an operation has ended"
                ),
                Err(LeaseError::Database(error)) if Instant::now() < give_up => {
                    tracing::debug!(%error, "an operation's end is not written down yet");
                    sleep(PAUSE).await;
                    continue;
                }
                Err(error) => tracing::warn!(
                    operation_id = %self.operation.id, %error, "an operation's end was not written down"
                ),
            }
            return;
        }
    }

    async fn leave(&self, pool: &Pool, waits: Option<&str>) {
        let given_back = async { self.lease().release(&*pool.get().await?, waits).await };
        if let Err(LeaseError::Database(error)) = answered::<(), LeaseError>(given_back).await {
            tracing::warn!(operation_id = %self.operation.id, %error, "an operation's lease ends by itself");
        }
    }
}

/// Why an operation failed that nobody may try again.
const CRASHED: &str = "it crashed the program that carried it out";

/// How the operation ends; none where somebody goes on with it later.
fn end_of(ended: &Ended, wanted: OperationState, is_cut_short: bool) -> Option<End> {
    let report = ended.as_ref().ok().and_then(Option::as_ref);
    let outcome = report.map(RunReport::numbers);
    match ended {
        // It came to its end before anybody could cut it short.
        Ok(Some(report)) if report.outcome != RunStatus::Error => {
            Some(End { outcome, ..End::of(OperationState::Done) })
        }
        _ if wanted == OperationState::Stopping => {
            Some(End { outcome, ..End::of(OperationState::Stopped) })
        }
        // Paused, taken over, or this reconciler ends.
        _ if is_cut_short => None,
        Err(RunError::UnderWay | RunError::Database(_) | RunError::Lost) => None,
        Ok(Some(report)) if report.is_cut_off => None,
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
