//! What becomes of each delivery of a group.

use std::{collections::HashMap, time::Duration};

use retry::Failure;
use store::DeliveryStatus;
use uuid::Uuid;

use crate::{core::bulkhead::Deferral, event::job::Job, writer::commit::Committed};

/// When a row that somebody keeps locked may be free again.
const LOCK_WAIT: Duration = Duration::from_secs(1);

/// What becomes of one delivery.
#[derive(Debug, Clone)]
pub(crate) enum JobOutcome {
    /// It is on disk that it was done: ack. No status where that was so before.
    Done(Option<DeliveryStatus>),
    /// Its attempt failed: delay or dead letter.
    Failed(Failure),
    /// No attempt was made: it comes again when there may be room.
    Deferred(Deferral),
    /// It needs another number and another read.
    ReadAgain(ReadAgain),
}

/// How a group is read again.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ReadAgain {
    /// Its delete may not be taken at its word.
    pub(crate) must_ask: bool,
    /// Numbers drawn before are void: the session that drew them is gone, or what was read with them was read under
    /// another configuration (rule worker-4).
    pub(crate) is_void: bool,
}

impl JobOutcome {
    /// Nobody knows what became of it: it is drawn and read anew.
    pub(crate) const UNKNOWN: Self = Self::ReadAgain(ReadAgain { must_ask: false, is_void: true });
}

/// The outcomes of a group's deliveries, each found by the delivery's id.
#[derive(Debug, Default)]
pub(crate) struct Outcomes(HashMap<Uuid, JobOutcome>);

impl Outcomes {
    /// The same outcome for all.
    pub(crate) fn all<'a>(jobs: impl IntoIterator<Item = &'a Job>, outcome: &JobOutcome) -> Self {
        let id = |job: &Job| (job.envelope.delivery_id, outcome.clone());
        Self(jobs.into_iter().map(id).collect())
    }

    /// A failure of all.
    pub(crate) fn failed<'a>(jobs: impl IntoIterator<Item = &'a Job>, failure: &Failure) -> Self {
        Self::all(jobs, &JobOutcome::Failed(failure.clone()))
    }

    /// What follows from the commit of `jobs`, whose entries were committed in this order.
    pub(crate) fn of_commit(jobs: &[&Job], committed: Committed) -> Self {
        let outcome = match committed {
            Committed::Done(statuses) => {
                let ids = jobs.iter().map(|job| job.envelope.delivery_id);
                return Self::done(ids, statuses);
            }
            Committed::Refused => JobOutcome::ReadAgain(ReadAgain::default()),
            Committed::Locked(failure) => {
                JobOutcome::Deferred(Deferral::Unavailable(LOCK_WAIT, failure))
            }
            Committed::Failed(failure) => JobOutcome::Failed(failure),
            Committed::Outdated | Committed::Namesakes(_) | Committed::Lost => JobOutcome::UNKNOWN,
        };
        Self::all(jobs.iter().copied(), &outcome)
    }

    /// Done, each with its own status; one that Postgres says nothing of has no outcome.
    fn done(
        deliveries: impl Iterator<Item = Uuid>,
        statuses: impl IntoIterator<Item = Option<DeliveryStatus>>,
    ) -> Self {
        Self(deliveries.zip(statuses.into_iter().map(JobOutcome::Done)).collect())
    }

    pub(crate) fn set(&mut self, job: &Job, outcome: JobOutcome) {
        self.0.insert(job.envelope.delivery_id, outcome);
    }

    pub(crate) fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// A delivery's own. One without is an error of ours, and read again: nothing is acked that has no outcome
    /// (rule worker-18).
    pub(crate) fn of(&self, job: &Job) -> JobOutcome {
        self.find(job.envelope.delivery_id).unwrap_or_else(|| {
            tracing::error!(
                delivery_id = %job.envelope.delivery_id, trace_id = %job.trace.id(),
                "a delivery was worked on and has no outcome; it is read again"
            );
            JobOutcome::UNKNOWN
        })
    }

    fn find(&self, delivery: Uuid) -> Option<JobOutcome> {
        self.0.get(&delivery).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_that_nothing_is_said_of_has_no_outcome_and_shifts_no_other() {
        let ids = [1, 2, 3].map(Uuid::from_u128);
        let mut outcomes = Outcomes::done(ids[..2].iter().copied(), [Some(DeliveryStatus::Stale)]);
        outcomes.extend(Outcomes::done(ids[2..].iter().copied(), [None]));
        assert!(matches!(
            outcomes.find(ids[0]),
            Some(JobOutcome::Done(Some(DeliveryStatus::Stale)))
        ));
        assert!(outcomes.find(ids[1]).is_none());
        assert!(matches!(outcomes.find(ids[2]), Some(JobOutcome::Done(None))));
    }
}
