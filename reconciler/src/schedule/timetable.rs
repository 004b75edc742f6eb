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

/// Intake must have stood for so long before a campus that missed something is reconciled.
const GAP_SETTLES: TimeDelta = TimeDelta::minutes(1);
/// Between two runs for gaps of one campus; a gap that does not end makes a run as often.
const BETWEEN_GAPS: TimeDelta = TimeDelta::minutes(15);

/// When a campus is reconciled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timetable {
    /// The time of day, at the campus.
    pub(crate) time: NaiveTime,
    pub(crate) zone: Tz,
    /// Later than that by so much, always the same for a campus.
    pub(crate) jitter: TimeDelta,
    /// Beside that, so long after the last run.
    pub(crate) every: Option<TimeDelta>,
    /// When this was set. What was due before is not.
    pub(crate) since: DateTime<Utc>,
}

/// What a campus missed since it was last reconciled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IntakeGap {
    pub(crate) first: DateTime<Utc>,
    pub(crate) last: DateTime<Utc>,
    /// When the last run for a gap began.
    pub(crate) reconciled_at: Option<DateTime<Utc>>,
}

impl IntakeGap {
    /// Since when a run is due for it; `is_open` while there is no gateway that could take anything.
    pub(crate) fn due_at(&self, is_open: bool) -> DateTime<Utc> {
        let lasting = self.first + BETWEEN_GAPS;
        let over = if is_open { lasting } else { lasting.min(self.last + GAP_SETTLES) };
        self.reconciled_at.map_or(over, |last| over.max(last + BETWEEN_GAPS))
    }
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

    /// The moment up to `now` that a regular run was due at, beside the nightly one: so long after the
    /// last that did not fail.
    fn regularly_due(&self, runs: &[PastRun], now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let every = self.every?;
        let last =
            runs.iter().filter(|run| run.failed_at.is_none()).map(|run| run.started_at).max();
        let due = last.map_or(self.since, |last| last.max(self.since)) + every;
        (due <= now).then_some(due)
    }
}

/// When a run that failed is due again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AfterFailure {
    AtOnce,
    /// After a pause that grows with every further failure.
    Pauses,
}

/// Since when a run is due, at `now`: since the last moment it was due at there was none, or only
/// ones that failed, the last of them long enough ago. Nights that were missed make one run together.
/// `runs` are those of at least the last day.
pub(crate) fn due_since(
    timetable: &Timetable,
    runs: &[PastRun],
    after_failure: AfterFailure,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let nightly = timetable.last_due(now).filter(|due| *due > timetable.since);
    let moments = [nightly, timetable.regularly_due(runs, now)];
    let untried = |due| untried_since(due, runs, after_failure, now);
    moments.into_iter().flatten().filter_map(untried).min()
}

/// Since when what was due then waits to be tried, or tried again.
fn untried_since(
    due: DateTime<Utc>,
    runs: &[PastRun],
    after_failure: AfterFailure,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let tried: Vec<&PastRun> = runs.iter().filter(|run| run.started_at >= due).collect();
    // Some run that did not fail is done, or under way.
    let failures: Vec<DateTime<Utc>> =
        tried.iter().map(|run| run.failed_at).collect::<Option<_>>()?;
    let pause = match after_failure {
        AfterFailure::AtOnce => TimeDelta::zero(),
        AfterFailure::Pauses => pause(failures.len()),
    };
    let again = failures.iter().max().map_or(due, |last| *last + pause);
    (again <= now).then_some(again)
}

fn pause(failures: usize) -> TimeDelta {
    let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(u32::MAX).min(10);
    (FIRST_PAUSE * 2_i32.pow(doublings)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests;
