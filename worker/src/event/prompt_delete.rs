//! When a delete is taken at its word (rule worker-5).

use chrono::{DateTime, TimeDelta, Utc};

use crate::event::job::Job;

/// A delete older than this is a question to the core.
const PROMPT: TimeDelta = TimeDelta::minutes(10);

/// Whether the newest of a group is a delete that archives without asking the core, as far as the group itself tells:
/// what is known of the member beside it is looked at when that is committed.
pub(crate) fn goes_unasked(jobs: &[&Job], now: DateTime<Utc>) -> bool {
    is_one_clock(jobs) && newest(jobs).is_some_and(|job| is_prompt_delete(job, now))
}

/// Whether either all of `jobs` say when they happened, or none does: only then one clock orders them all.
fn is_one_clock(jobs: &[&Job]) -> bool {
    let dated = jobs.iter().filter(|job| job.envelope.occurred_at.is_some()).count();
    dated == 0 || dated == jobs.len()
}

/// The event that nothing among `jobs` is later than: by the senders' clock where both said, else by the gateways'.
fn newest<'a>(jobs: &[&'a Job]) -> Option<&'a Job> {
    let is_later =
        |one: &Job, other: &Job| match (one.envelope.occurred_at, other.envelope.occurred_at) {
            (Some(one), Some(other)) => one > other,
            _ => one.envelope.received_at > other.envelope.received_at,
        };
    // Two clocks can disagree in a circle; then nobody is the newest and the core is asked.
    jobs.iter().copied().find(|job| !jobs.iter().any(|other| is_later(other, job)))
}

fn is_prompt_delete(job: &Job, now: DateTime<Utc>) -> bool {
    let is_prompt = |at: DateTime<Utc>| (now - at).abs() < PROMPT;
    job.is_delete()
        && job.history.is_first_attempt()
        && is_prompt(job.envelope.received_at)
        && job.envelope.occurred_at.is_none_or(is_prompt)
}
