//! The story of a group of events: fetch → map + filter → commit → settle.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use campus_core::{interpret_response, photo_refusal, unreadable};
use chrono::{DateTime, TimeDelta, Utc};
use event::{EventType, History};
use futures_util::{FutureExt, future::join_all};
use retry::{Cause, Failure, FailureKind, Next};
use store::{CampusConfig, Commit, DeliveryState, DeliveryStatus, Finding, LogLine, Observation};
use tracing::{Instrument, Span};

use crate::{
    Worker,
    core::{
        bulkhead::PutOff,
        cores::{Unfetched, Wish},
    },
    event::{
        absence::{Denied, ENOUGH_ATTEMPTS, confirmed},
        admit::{Exit, Left, Ticket},
        event_log,
        job::{Group, Job},
        namesakes, settle,
    },
    writer::commit::Committed,
};

/// A delete older than this is not taken at its word (CORRECTNESS §2).
const PROMPT: TimeDelta = TimeDelta::minutes(10);

/// When a row that somebody keeps locked may be free again.
const LOCK_WAIT: Duration = Duration::from_secs(1);

/// What becomes of one delivery.
#[derive(Debug, Clone)]
pub(crate) enum Fate {
    /// It is on disk that it was done: ack. No status where that was so before.
    Done(Option<DeliveryStatus>),
    /// Its attempt failed: delay or dead letter.
    Failed(Failure),
    /// No attempt was made: it comes again when there may be room.
    PutOff(PutOff),
    /// It needs another number and another read.
    Again {
        /// Its delete may not be taken at its word.
        ask: bool,
        /// Numbers drawn before are void: the session that drew them is gone, or what was read with
        /// them was read under another configuration.
        void: bool,
    },
}

impl Fate {
    pub(crate) const LOST: Self = Self::Again { ask: false, void: true };
}

/// Processes an admitted group and settles each of its deliveries, or sends it back for another
/// number. Nothing leaves here unsettled, whatever happens inside.
pub(crate) async fn process(worker: Arc<Worker>, group: Group, ticket: Ticket, exit: Exit) {
    let mut leave = Leave { exit: exit.clone(), left: Some(Left::Settled(group.key.clone())) };
    let attempt = AssertUnwindSafe(attempt(&worker, &group, &ticket)).catch_unwind();
    let give_back = worker.give_back.load_full();
    let fates = tokio::select! {
        fates = attempt => fates.unwrap_or_else(|_| vec![Fate::Failed(poison()); group.jobs.len()]),
        () = give_back.cancelled() => {
            return_jobs(&worker, &group).await;
            return;
        }
    };

    let Group { key, jobs, first_drawn, must_ask } = group;
    let mut again = Group::new(key);
    again.must_ask = must_ask;
    again.first_drawn = first_drawn.or(Some(ticket.number));
    // Side by side: what failed together would otherwise wait for each other's pauses and confirms.
    let settled =
        jobs.into_iter().zip(fates).map(|(job, fate)| settle(&worker, &ticket, job, fate));
    for (job, ask, void) in join_all(settled).await.into_iter().flatten() {
        again.must_ask |= ask;
        if void {
            again.first_drawn = None;
        }
        again.jobs.push(job);
    }
    if !again.jobs.is_empty() {
        leave.left = Some(Left::Again(again));
    }
}

/// Settles one delivery; it comes back where it needs another read, with whether a delete must ask
/// and whether numbers drawn before are void.
async fn settle(
    worker: &Worker,
    ticket: &Ticket,
    job: Job,
    fate: Fate,
) -> Option<(Job, bool, bool)> {
    let fate = match fate {
        Fate::Failed(failure) => settle::fail(worker, ticket, &job, failure).await,
        Fate::PutOff(off) => settle::put_off(worker, ticket, &job, off).await,
        other => other,
    };
    match fate {
        Fate::Done(status) => settle::done(worker, &job, status).await,
        Fate::Failed(_) | Fate::PutOff(_) => {}
        Fate::Again { ask, void } => return Some((job, ask, void)),
    }
    None
}

/// Tells admission that a group has left, even if processing it panicked: its member would stay
/// busy for ever otherwise.
struct Leave {
    exit: Exit,
    left: Option<Left>,
}

impl Drop for Leave {
    fn drop(&mut self) {
        if let Some(left) = self.left.take() {
            self.exit.send(left).ok();
        }
    }
}

/// Returns a group to the work queue unfinished.
pub(crate) async fn give_back(worker: &Worker, group: Group, exit: &Exit) {
    return_jobs(worker, &group).await;
    exit.send(Left::Settled(group.key)).ok();
}

/// By publish and ack, since what a broker takes back by itself counts towards its delivery limit.
async fn return_jobs(worker: &Worker, group: &Group) {
    join_all(group.jobs.iter().map(|job| settle::give_back(worker, job))).await;
}

/// One attempt on a group: a fate for each of its jobs.
async fn attempt(worker: &Worker, group: &Group, ticket: &Ticket) -> Vec<Fate> {
    let mut fates: Vec<Option<Fate>> = Vec::with_capacity(group.jobs.len());
    let mut open = Vec::with_capacity(group.jobs.len());
    for (job, state) in group.jobs.iter().zip(&ticket.states) {
        fates.push(match (state, group.key.is_some()) {
            (DeliveryState::Done, _) => Some(Fate::Done(None)),
            (DeliveryState::Duplicate, _) => Some(
                log(
                    ticket,
                    job,
                    DeliveryStatus::Duplicate,
                    "Duplicate of an event that was processed before",
                )
                .await,
            ),
            (DeliveryState::New, false) => Some(note(ticket, job).await),
            (DeliveryState::New, true) => {
                open.push(job);
                None
            }
        });
    }
    let mut synced = match open.first() {
        None => Vec::new(),
        // What is done for all of them is shown in the trace of the first, and linked with the rest.
        Some(first) => {
            let span = first.trace.span();
            let others = open[1..].iter().map(|job| job.trace.span());
            runtime::share(span, others, "merged into one read");
            sync_member(worker, group, ticket, &open).instrument(span.clone()).await
        }
    }
    .into_iter();
    fates.into_iter().map(|fate| fate.or_else(|| synced.next()).unwrap_or(Fate::LOST)).collect()
}

/// Tests and unknown types: logged, and nothing else.
async fn note(ticket: &Ticket, job: &Job) -> Fate {
    let event_type = &job.envelope.event_type;
    if event_type.is_test() {
        return log(ticket, job, DeliveryStatus::Processed, EventType::TEST_MESSAGE).await;
    }
    let message = event_type.not_handled_message();
    log(ticket, job, DeliveryStatus::Ignored, &message).await
}

async fn log(ticket: &Ticket, job: &Job, status: DeliveryStatus, message: &str) -> Fate {
    let line = LogLine {
        entry: job.entry(),
        status,
        message: Some(message.to_owned()),
        error: None,
        config_version: None,
    };
    let (committed, _) = ticket.live.commit(Commit::Log(line), job.trace.span()).await;
    fates(committed, 1).pop().unwrap_or(Fate::LOST)
}

/// Brings one member up to date for all the events that wait for it.
async fn sync_member(worker: &Worker, group: &Group, ticket: &Ticket, jobs: &[&Job]) -> Vec<Fate> {
    let campus = match usable(ticket) {
        Ok(campus) => campus,
        Err(failure) => return failed(jobs, &failure),
    };
    let now = Utc::now();
    if !group.must_ask
        && is_one_clock(jobs)
        && newest(jobs).is_some_and(|job| is_prompt_delete(job, now))
    {
        return commit(worker, group, ticket, campus, jobs, Finding::DeleteUnasked).await;
    }
    let Some((_, member_id)) = &group.key else { return Vec::new() };
    let wish = Wish {
        member: member_id,
        since: jobs.iter().map(|job| job.envelope.received_at).min().unwrap_or(now),
        is_overdue: jobs.iter().any(|job| worker.schedule.is_overdue(&job.history, now)),
    };
    match worker.cores.fetch(campus, &wish).await {
        // What it takes is charged until the commit, or whatever else comes of it.
        Ok((member, mut charge)) => match interpret_response(campus, &member, now) {
            Ok(finding) => {
                drop(member);
                charge.keep(finding.photo().map_or(0, |photo| photo.image.len()));
                worker.metrics.unreadable(unreadable(&finding));
                if let Some(refusal) = photo_refusal(&finding) {
                    for job in jobs {
                        event_log::photo_refused(job, &refusal);
                    }
                }
                commit(worker, group, ticket, campus, jobs, finding).await
            }
            Err(failure) => failed(jobs, &failure),
        },
        Err(Unfetched::Absent(failure)) => {
            commit_absence(worker, group, ticket, campus, jobs, &failure).await
        }
        Err(Unfetched::Failed(failure)) => failed(jobs, &failure),
        Err(Unfetched::PutOff(off)) => vec![Fate::PutOff(off); jobs.len()],
        Err(Unfetched::Held) => vec![Fate::LOST; jobs.len()],
    }
}

/// The core has no such member: commits that where it is confirmed, and refuses the other events.
async fn commit_absence(
    worker: &Worker,
    group: &Group,
    ticket: &Ticket,
    campus: &CampusConfig,
    jobs: &[&Job],
    failure: &Failure,
) -> Vec<Fate> {
    let Some((_, member)) = &group.key else { return Vec::new() };
    let tombstone = match ticket.live.session.tombstone(campus.id, member).await {
        Ok(tombstone) => tombstone,
        Err(error) => {
            tracing::warn!(%error, "Postgres was lost, events are held");
            return vec![Fate::LOST; jobs.len()];
        }
    };
    let now = Utc::now();
    let denied = jobs.iter().map(|job| Denied {
        is_delete: job.is_delete(),
        happened: job.happened(),
        attempts_left: attempts_left(worker, job, failure, now),
    });
    let is_confirmed = confirmed(&denied.collect::<Vec<_>>(), tombstone);
    let gone: Vec<&Job> =
        jobs.iter().zip(&is_confirmed).filter(|(_, is)| **is).map(|(job, _)| *job).collect();
    if gone.is_empty() {
        return failed(jobs, failure);
    }
    let fates = commit(worker, group, ticket, campus, &gone, Finding::ReadGone).await;
    let mut fates = fates.into_iter();
    let fate = |is_confirmed| {
        if is_confirmed {
            fates.next().unwrap_or(Fate::LOST)
        } else {
            Fate::Failed(failure.clone())
        }
    };
    is_confirmed.into_iter().map(fate).collect()
}

/// How many attempts follow for an event if this one fails, as far as anybody asks.
fn attempts_left(worker: &Worker, job: &Job, failure: &Failure, now: DateTime<Utc>) -> usize {
    let after = |history: &History| match worker.schedule.next(history, failure, now) {
        Next::Again(_, history) => Some(history),
        Next::Dead(_) => None,
    };
    std::iter::successors(after(&job.history), after).take(ENOUGH_ATTEMPTS).count()
}

async fn commit(
    worker: &Worker,
    group: &Group,
    ticket: &Ticket,
    campus: &CampusConfig,
    jobs: &[&Job],
    finding: Finding,
) -> Vec<Fate> {
    let Some((_, member)) = group.key.clone() else { return Vec::new() };
    let unasked = finding.is_unasked();
    let observation = Observation {
        campus: campus.id,
        member,
        seen_from: ticket.number,
        first_drawn: group.first_drawn.unwrap_or(ticket.number),
        config_version: campus.synced_version,
        finding,
        link: campus.link(),
        occurred_at: jobs.iter().filter_map(|job| job.envelope.occurred_at).max(),
        received_at: jobs.iter().map(|job| job.envelope.received_at).max(),
        entries: jobs.iter().map(|job| job.entry()).collect(),
    };
    let commit = Commit::Member(Box::new(observation));
    let mut committed = ticket.live.commit(commit, &Span::current()).await;
    while let (Committed::Namesakes(members), Some(Commit::Member(mut observation))) = committed {
        let asked = namesakes::ask(worker, campus, jobs, &members).await;
        if let Err(fate) = asked.map(|asked| asked.note(&mut observation.link)) {
            return vec![fate; jobs.len()];
        }
        committed = ticket.live.commit(Commit::Member(observation), &Span::current()).await;
    }
    let (committed, _) = committed;
    if unasked && matches!(committed, Committed::Refused) {
        return vec![Fate::Again { ask: true, void: false }; jobs.len()];
    }
    fates(committed, jobs.len())
}

/// The campus as it is configured now, if its members may be synced.
fn usable(ticket: &Ticket) -> Result<&CampusConfig, Failure> {
    let stopped = |kind, reason: String| Failure::new(Cause::SyncDisabled, kind, reason);
    match ticket.campus.as_deref() {
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

/// The event that nothing among `jobs` is later than: by the senders' clock where both said, else
/// by the gateways'.
fn newest<'a>(jobs: &[&'a Job]) -> Option<&'a Job> {
    let is_later =
        |one: &Job, other: &Job| match (one.envelope.occurred_at, other.envelope.occurred_at) {
            (Some(one), Some(other)) => one > other,
            _ => one.envelope.received_at > other.envelope.received_at,
        };
    // Two clocks can disagree in a circle; then nobody is the newest and the core is asked.
    jobs.iter().copied().find(|job| !jobs.iter().any(|other| is_later(other, job)))
}

/// Whether either all of `jobs` say when they happened, or none does: only then one clock orders
/// them all.
fn is_one_clock(jobs: &[&Job]) -> bool {
    let dated = jobs.iter().filter(|job| job.envelope.occurred_at.is_some()).count();
    dated == 0 || dated == jobs.len()
}

/// Whether a delete may be taken at its word, as far as the event itself tells.
fn is_prompt_delete(job: &Job, now: DateTime<Utc>) -> bool {
    let is_prompt = |at: DateTime<Utc>| (now - at).abs() < PROMPT;
    job.is_delete()
        && job.history.is_first_attempt()
        && is_prompt(job.envelope.received_at)
        && job.envelope.occurred_at.is_none_or(is_prompt)
}

/// The fates of so many deliveries that were committed as one.
fn fates(committed: Committed, number: usize) -> Vec<Fate> {
    let one = match committed {
        Committed::Done(statuses) => return statuses.into_iter().map(Fate::Done).collect(),
        Committed::Refused => Fate::Again { ask: false, void: false },
        Committed::Locked(trouble) => Fate::PutOff(PutOff::Shut(LOCK_WAIT, trouble)),
        Committed::Failed(failure) => Fate::Failed(failure),
        Committed::Outdated | Committed::Namesakes(_) | Committed::Lost => Fate::LOST,
    };
    vec![one; number]
}

fn failed(jobs: &[&Job], failure: &Failure) -> Vec<Fate> {
    vec![Fate::Failed(failure.clone()); jobs.len()]
}

fn poison() -> Failure {
    Failure::new(
        Cause::Poison,
        FailureKind::Refusal,
        "Processing the event fails in a way that nobody foresaw.",
    )
}
