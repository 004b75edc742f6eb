//! Brings one member up to date for all the events that wait for it: fetch → map and filter → commit.

use std::time::Duration;

use campus_core::{interpret_response, photo_refusal, unreadable};
use chrono::{DateTime, Utc};
use core_api::Charge;
use event::History;
use member::CoreMember;
use retry::{Cause, Failure, FailureKind, Next};
use store::{CampusConfig, Commit, Finding, Observation};
use tracing::Span;

use crate::{
    context::WorkerContext,
    core::{bulkhead::Deferral, cores::Unfetched},
    event::{
        absence::{Denied, ENOUGH_ATTEMPTS, confirmed},
        event_log,
        group::AdmittedGroup,
        job::Job,
        member_request::member_request,
        namesakes,
        outcome::{JobOutcome, Outcomes, ReadAgain},
        prompt_delete,
    },
    writer::commit::Committed,
};

const SOONEST_LOOK: Duration = Duration::from_secs(1);
const LATEST_LOOK: Duration = Duration::from_mins(10);

/// Syncs the member that `jobs` speak of.
pub(crate) async fn sync_member(
    worker: &WorkerContext,
    admitted: &AdmittedGroup,
    jobs: &[&Job],
) -> Outcomes {
    let Some((_, member)) = &admitted.group.key else { return Outcomes::default() };
    match usable_campus(admitted) {
        Ok(CampusConfig { paused_at: Some(since), .. }) => {
            let deferral = Deferral::Paused(next_look(*since, Utc::now()));
            Outcomes::all(jobs.iter().copied(), &JobOutcome::Deferred(deferral))
        }
        Ok(campus) => {
            let now = Utc::now();
            MemberSync { worker, admitted, campus, member, jobs, now }.run().await
        }
        Err(failure) => Outcomes::failed(jobs.iter().copied(), &failure),
    }
}

/// When the events of a paused campus look whether it is resumed: the longer it lasts the later, since all of them go
/// through a delay queue each time (rule worker-19).
fn next_look(paused_at: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    let lasted = (now - paused_at).to_std().unwrap_or_default();
    (lasted / 4).clamp(SOONEST_LOOK, LATEST_LOOK)
}

/// The campus as it is configured now, if its members may be synced.
fn usable_campus(admitted: &AdmittedGroup) -> Result<&CampusConfig, Failure> {
    let stopped = |kind, reason: String| Failure::new(Cause::SyncDisabled, kind, reason);
    match admitted.campus.as_deref() {
        None => Err(stopped(
            FailureKind::Final,
            "No sync is configured for the campus any more.".into(),
        )),
        Some(Err(error)) => Err(stopped(
            FailureKind::Outage,
            format!("The campus's configuration cannot be used: {error}."),
        )),
        Some(Ok(campus)) if !campus.is_enabled => {
            Err(stopped(FailureKind::Final, "Sync is disabled for the campus.".into()))
        }
        Some(Ok(campus)) => Ok(campus),
    }
}

/// One read of a member, for the events that wait for it.
struct MemberSync<'a> {
    worker: &'a WorkerContext,
    admitted: &'a AdmittedGroup,
    campus: &'a CampusConfig,
    member: &'a str,
    jobs: &'a [&'a Job],
    now: DateTime<Utc>,
}

impl MemberSync<'_> {
    async fn run(&self) -> Outcomes {
        if !self.admitted.group.must_ask && prompt_delete::goes_unasked(self.jobs, self.now) {
            return self.commit(self.jobs, Finding::DeleteUnasked).await;
        }
        let request = member_request(self.worker.settler.schedule(), self.member, self.jobs);
        match self.worker.cores.fetch(self.campus, &request).await {
            // What the answer takes is charged until the commit, or whatever else comes of it.
            Ok((member, charge)) => self.apply(member, charge).await,
            Err(Unfetched::Absent(failure)) => self.apply_absence(&failure).await,
            Err(Unfetched::Failed(failure)) => self.failed(&failure),
            Err(Unfetched::Deferred(deferral)) => self.all(&JobOutcome::Deferred(deferral)),
            Err(Unfetched::Held) => self.all(&JobOutcome::UNKNOWN),
        }
    }

    /// Maps and filters what the core answered, and commits that.
    async fn apply(&self, member: CoreMember, mut charge: Charge) -> Outcomes {
        let finding = match interpret_response(self.campus, &member, self.now) {
            Ok(finding) => finding,
            Err(failure) => return self.failed(&failure),
        };
        drop(member);
        charge.keep(finding.photo().map_or(0, |photo| photo.image.len()));
        self.worker.metrics.unreadable(unreadable(&finding));
        if let Some(refusal) = photo_refusal(&finding) {
            for job in self.jobs {
                event_log::photo_refused(job, &refusal);
            }
        }
        self.commit(self.jobs, finding).await
    }

    /// The core has no such member: commits that where it is confirmed, and refuses the other events (rule worker-6).
    async fn apply_absence(&self, failure: &Failure) -> Outcomes {
        let session = &self.admitted.session.numbers;
        let tombstone = match session.tombstone(self.campus.id, self.member).await {
            Ok(tombstone) => tombstone,
            Err(error) => {
                tracing::warn!(%error, "Postgres was lost, events are held");
                return self.all(&JobOutcome::UNKNOWN);
            }
        };
        let denied: Vec<Denied> = self.jobs.iter().map(|job| self.denied(job, failure)).collect();
        let mut gone = Vec::new();
        let mut outcomes = Outcomes::default();
        for (job, is_confirmed) in self.jobs.iter().zip(confirmed(&denied, tombstone)) {
            if is_confirmed {
                gone.push(*job);
            } else {
                outcomes.set(job, JobOutcome::Failed(failure.clone()));
            }
        }
        if !gone.is_empty() {
            outcomes.extend(self.commit(&gone, Finding::ReadGone).await);
        }
        outcomes
    }

    fn denied(&self, job: &Job, failure: &Failure) -> Denied {
        let schedule = self.worker.settler.schedule();
        let after = |history: &History| match schedule.next(history, failure, self.now) {
            Next::Again(_, history) => Some(history),
            Next::Dead(_) => None,
        };
        let attempts = std::iter::successors(after(&job.history), after);
        Denied {
            is_delete: job.is_delete(),
            was_refused: job.history.refusals > 0,
            happened: job.happened(),
            attempts_left: attempts.take(ENOUGH_ATTEMPTS).count(),
        }
    }

    async fn commit(&self, jobs: &[&Job], finding: Finding) -> Outcomes {
        let is_unasked = finding.is_unasked();
        let commit = Commit::Member(Box::new(self.observation(jobs, finding)));
        let session = &self.admitted.session;
        let mut committed = session.commit(commit, &Span::current()).await;
        while let (Committed::Namesakes(members), Some(Commit::Member(mut observation))) = committed
        {
            let answers = namesakes::ask(self.worker, self.campus, jobs, &members).await;
            if let Err(outcome) = answers.map(|answers| answers.note(&mut observation.link)) {
                return Outcomes::all(jobs.iter().copied(), &outcome);
            }
            committed = session.commit(Commit::Member(observation), &Span::current()).await;
        }
        match committed {
            (Committed::Refused, _) if is_unasked => {
                let ask = ReadAgain { must_ask: true, is_void: false };
                Outcomes::all(jobs.iter().copied(), &JobOutcome::ReadAgain(ask))
            }
            (committed, _) => Outcomes::of_commit(jobs, committed),
        }
    }

    fn observation(&self, jobs: &[&Job], finding: Finding) -> Observation {
        Observation {
            campus: self.campus.id,
            member: self.member.to_owned(),
            seen_from: self.admitted.number,
            first_drawn: self.admitted.first_drawn(),
            config_version: self.campus.synced_version,
            finding,
            link: self.campus.link(),
            occurred_at: jobs.iter().filter_map(|job| job.envelope.occurred_at).max(),
            received_at: jobs.iter().map(|job| job.envelope.received_at).max(),
            entries: jobs.iter().map(|job| job.entry()).collect(),
        }
    }

    fn failed(&self, failure: &Failure) -> Outcomes {
        Outcomes::failed(self.jobs.iter().copied(), failure)
    }

    fn all(&self, outcome: &JobOutcome) -> Outcomes {
        Outcomes::all(self.jobs.iter().copied(), outcome)
    }
}
