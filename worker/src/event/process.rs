//! What happens to an admitted group: each of its deliveries gets an outcome, and is settled by it.

use std::{panic::AssertUnwindSafe, sync::Arc};

use event::EventType;
use futures_util::{FutureExt, future::join_all};
use retry::{Cause, Failure, FailureKind};
use store::{Commit, DeliveryState, DeliveryStatus, LogLine};
use tracing::Instrument;

use crate::{
    context::WorkerContext,
    event::{
        group::{AdmittedGroup, DoneSender, Group, GroupDone},
        job::Job,
        outcome::{JobOutcome, Outcomes, ReadAgain},
        sync::sync_member,
    },
    writer::session::WriteSession,
};

/// Processes a group and settles each of its deliveries, or sends it back for another number. Nothing leaves here
/// unsettled, whatever happens inside.
pub(crate) async fn process(worker: Arc<WorkerContext>, admitted: AdmittedGroup, done: DoneSender) {
    let mut leaving = Leaving::new(done, &admitted.group);
    let give_back = worker.give_back.token();
    let outcomes = tokio::select! {
        outcomes = AssertUnwindSafe(attempt(&worker, &admitted)).catch_unwind() => outcomes,
        () = give_back.cancelled() => {
            worker.settler.give_back_all(&admitted.group.jobs).await;
            return;
        }
    };
    let outcomes =
        outcomes.unwrap_or_else(|_panic| Outcomes::failed(&admitted.group.jobs, &poison()));
    if let Some(again) = settle_all(&worker, admitted, &outcomes).await {
        leaving.read_again(again);
    }
}

/// One attempt on a group: an outcome for each of its deliveries.
async fn attempt(worker: &WorkerContext, admitted: &AdmittedGroup) -> Outcomes {
    let mut outcomes = Outcomes::default();
    let mut open = Vec::with_capacity(admitted.group.jobs.len());
    for job in &admitted.group.jobs {
        match admitted.state(job) {
            None => {}
            Some(DeliveryState::Done) => outcomes.set(job, JobOutcome::Done(None)),
            // Of something committed (rule worker-7); the others are found when they are written.
            Some(DeliveryState::Duplicate) => {
                let message = "Duplicate of an event that was processed before";
                outcomes.extend(log(admitted, job, DeliveryStatus::Duplicate, message).await);
            }
            Some(DeliveryState::New) if admitted.group.key.is_none() => {
                outcomes.extend(log_only(admitted, job).await);
            }
            Some(DeliveryState::New) => open.push(job),
        }
    }
    // What is done for all of them is shown in the trace of the first, and linked with the rest.
    if let Some(first) = open.first() {
        let span = first.trace.span();
        let others = open[1..].iter().map(|job| job.trace.span());
        runtime::share(span, others, "merged into one read");
        let synced = sync_member(worker, admitted, &open).instrument(span.clone()).await;
        outcomes.extend(synced);
    }
    outcomes
}

/// Tests and unknown types: logged, and nothing else.
async fn log_only(admitted: &AdmittedGroup, job: &Job) -> Outcomes {
    let event_type = &job.envelope.event_type;
    if event_type.is_test() {
        return log(admitted, job, DeliveryStatus::Processed, EventType::TEST_MESSAGE).await;
    }
    log(admitted, job, DeliveryStatus::Ignored, &event_type.not_handled_message()).await
}

async fn log(
    admitted: &AdmittedGroup,
    job: &Job,
    status: DeliveryStatus,
    message: &str,
) -> Outcomes {
    let line = LogLine {
        entry: job.entry(),
        status,
        message: Some(message.to_owned()),
        error: None,
        config_version: None,
        attempt: None,
    };
    let (committed, _) = admitted.session.commit(Commit::Log(line), job.trace.span()).await;
    Outcomes::of_commit(&[job], committed)
}

/// Settles a group's deliveries; those that need another read form a group again.
async fn settle_all(
    worker: &WorkerContext,
    admitted: AdmittedGroup,
    outcomes: &Outcomes,
) -> Option<Group> {
    let first_drawn = admitted.first_drawn();
    let AdmittedGroup { group, session, .. } = admitted;
    let mut again = Group { first_drawn: Some(first_drawn), ..Group::new(group.key) };
    again.must_ask = group.must_ask;
    // Side by side (rule worker-13): what failed together would otherwise wait for each other's pauses and confirms.
    let settled = group.jobs.into_iter().map(|job| {
        let outcome = outcomes.of(&job);
        settle(worker, &session, job, outcome)
    });
    for (job, how) in join_all(settled).await.into_iter().flatten() {
        again.must_ask |= how.must_ask;
        if how.is_void {
            again.first_drawn = None;
        }
        again.jobs.push(job);
    }
    (!again.jobs.is_empty()).then_some(again)
}

/// Settles one delivery; it comes back where it needs another read.
async fn settle(
    worker: &WorkerContext,
    session: &WriteSession,
    job: Job,
    outcome: JobOutcome,
) -> Option<(Job, ReadAgain)> {
    let settler = &worker.settler;
    let settled = match outcome {
        JobOutcome::Done(status) => {
            settler.done(&job, status).await;
            Ok(())
        }
        JobOutcome::Failed(failure) => settler.fail(session, &job, &failure).await,
        JobOutcome::Deferred(deferral) => settler.defer(session, &job, &deferral).await,
        JobOutcome::ReadAgain(how) => return Some((job, how)),
    };
    settled.err().map(|_lost| (job, ReadAgain { must_ask: false, is_void: true }))
}

/// Tells admission that a group has left, even if processing it panicked: its member would stay busy for ever
/// otherwise.
struct Leaving {
    done: DoneSender,
    message: Option<GroupDone>,
}

impl Leaving {
    fn new(done: DoneSender, group: &Group) -> Self {
        Self { done, message: Some(GroupDone::Settled(group.key.clone())) }
    }

    fn read_again(&mut self, group: Group) {
        self.message = Some(GroupDone::ReadAgain(group));
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        if let Some(message) = self.message.take() {
            self.done.send(message).ok();
        }
    }
}

/// Of an event whose processing panics.
fn poison() -> Failure {
    Failure::new(
        Cause::Poison,
        FailureKind::Refusal,
        "Processing the event fails in a way that nobody foresaw.",
    )
}
