//! When a campus's run is due. Pure: the clock is given, so that nights when clocks change can be
//! tested in the middle of a day.

use chrono::{DateTime, NaiveTime, SubsecRound, TimeDelta, Timelike, Utc};
use chrono_tz::Tz;
use croner::Cron;
use uuid::Uuid;

/// Campuses of one zone are spread over so long.
const SPREAD_SECONDS: u128 = 600;
/// Before a run that failed is tried again; doubled with every further failure.
const FIRST_PAUSE: TimeDelta = TimeDelta::minutes(10);
const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(2);

/// When a campus is reconciled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timetable {
    /// The time of day, at the campus.
    pub(crate) time: NaiveTime,
    pub(crate) zone: Tz,
    /// Later than that by so much, always the same for a campus.
    pub(crate) jitter: TimeDelta,
}

/// A run of the past, as far as it matters here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PastRun {
    pub(crate) started_at: DateTime<Utc>,
    /// When it failed, where it did.
    pub(crate) failed_at: Option<DateTime<Utc>>,
}

/// The campus's own delay, so that the campuses of a time zone do not all begin at once.
pub(crate) fn jitter(campus: Uuid) -> TimeDelta {
    let seconds = campus.as_u128() % SPREAD_SECONDS;
    TimeDelta::seconds(i64::try_from(seconds).unwrap_or(0))
}

impl Timetable {
    /// The latest moment up to `now` that a run was due at. A time that clocks jump over is due when
    /// they have jumped; one that they show twice is due the first time.
    pub(crate) fn last_due(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let (hour, minute) = (self.time.hour(), self.time.minute());
        let daily: Cron = format!("{minute} {hour} * * *").parse().ok()?;
        let until = (now - self.jitter).trunc_subsecs(0).with_timezone(&self.zone);
        let due = daily.find_previous_occurrence(&until, true).ok()?;
        Some(due.to_utc() + self.jitter)
    }
}

/// Whether a run is due now: since the last moment it was due at there was none, or only ones that
/// failed, the last of them long enough ago. Nights that were missed make one run together. `runs`
/// are those of at least the last day; `since` is when the campus was added.
pub(crate) fn is_due(
    timetable: &Timetable,
    since: DateTime<Utc>,
    runs: &[PastRun],
    now: DateTime<Utc>,
) -> bool {
    let Some(due) = timetable.last_due(now).filter(|due| *due > since) else { return false };
    let tried: Vec<&PastRun> = runs.iter().filter(|run| run.started_at >= due).collect();
    let failures: Option<Vec<DateTime<Utc>>> = tried.iter().map(|run| run.failed_at).collect();
    // Some run did not fail: it is done, or under way.
    let Some(failures) = failures else { return false };
    failures.iter().max().is_none_or(|last| now >= *last + pause(failures.len()))
}

fn pause(failures: usize) -> TimeDelta {
    let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(u32::MAX).min(10);
    (FIRST_PAUSE * 2_i32.pow(doublings)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests;
