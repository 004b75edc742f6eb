//! When a failed event is tried again, and when it is dead.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use event::History;
use runtime::{SettingError, Settings, parse_duration, variables};

use crate::{Cause, Failure, FailureKind};

/// Events that are only deferred come back at least this often: the core may be well again long
/// before an event that failed many times is tried again.
const LONGEST_DEFERRAL: Duration = Duration::from_mins(10);

/// There is a delay as short as this, whatever `RETRY_DELAYS` says, for events that only make room
/// for others: the slots of their core would run dry before they are back otherwise.
const SHORTEST_DELAY: Duration = Duration::from_secs(1);

/// `RETRY_DELAYS` and `RETRY_OUTAGE_AGE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetrySchedule {
    delays: Vec<Duration>,
    outage_age: TimeDelta,
}

/// What becomes of an event after a failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// It is tried again after the delay.
    Again(Duration, History),
    /// It waits for an operator.
    Dead(History),
}

impl RetrySchedule {
    /// Reads the two variables. Delays are named in queue names, which cannot be changed later:
    /// they must be whole milliseconds above zero.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingError> {
        let wrong = |problem: &str| {
            SettingError::new(
                variables::RETRY_DELAYS,
                problem,
                "durations such as 5s,30s,2m,10m,1h",
            )
        };
        let delays = settings
            .required(variables::RETRY_DELAYS)?
            .split(',')
            .map(|text| {
                let delay = parse_duration(text.trim())
                    .ok_or_else(|| wrong("is not a list of durations"))?;
                // RabbitMQ keeps a message's time to live in 32 bits of milliseconds.
                if delay.is_zero() || delay.as_millis() > u128::from(u32::MAX) {
                    return Err(wrong("has a delay that is zero or over 49 days"));
                }
                Ok(delay)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let outage_age = settings.duration(variables::RETRY_OUTAGE_AGE)?;
        Ok(Self { delays, outage_age: TimeDelta::from_std(outage_age).unwrap_or(TimeDelta::MAX) })
    }

    /// The delays, each once, in ascending order: one queue for each. The first is a second or less.
    pub fn delays(&self) -> Vec<Duration> {
        let mut delays = self.ascending();
        if delays.first().is_none_or(|shortest| *shortest > SHORTEST_DELAY) {
            delays.insert(0, SHORTEST_DELAY);
        }
        delays
    }

    /// Those of `RETRY_DELAYS`.
    fn ascending(&self) -> Vec<Duration> {
        let mut delays = self.delays.clone();
        delays.sort_unstable();
        delays.dedup();
        delays
    }

    /// Decides after an attempt failed at `now`.
    ///
    /// A refusal climbs the delays and is dead when the attempt after the last one is refused too.
    /// An outage climbs them and stays at the last, until `RETRY_OUTAGE_AGE` has passed.
    pub fn next(&self, history: &History, failure: &Failure, now: DateTime<Utc>) -> Next {
        let mut history = history.clone();
        let first_failed_at = *history.first_failed_at.get_or_insert(now);
        // An account that lost its right was taken for a refusal until others met it too.
        if failure.kind == FailureKind::Outage && failure.cause == Cause::CoreForbidden {
            history.refusals = 0;
        }
        let counter = match failure.kind {
            FailureKind::Refusal | FailureKind::Final => &mut history.refusals,
            FailureKind::Outage => &mut history.outages,
        };
        let step = usize::try_from(*counter).unwrap_or(usize::MAX);
        *counter = counter.saturating_add(1);
        (history.deferrals, history.crashes, history.deferred_since) = (0, 0, None);
        let delay = match failure.kind {
            FailureKind::Final => None,
            FailureKind::Refusal => self.delays.get(step),
            FailureKind::Outage if self.is_over(first_failed_at, now) => None,
            FailureKind::Outage => self.delays.get(step).or(self.delays.last()),
        };
        match delay {
            Some(delay) => Next::Again(*delay, history),
            None => Next::Dead(history),
        }
    }

    /// Decides about an event that is deferred at `now` without an attempt, because its core is left
    /// alone for another `wait`: after the shortest delay that is long enough, or one as long as it
    /// has been deferred already, so that a short outage costs little and the backlog of a long one
    /// does not circle hotly through the broker.
    ///
    /// None once `RETRY_OUTAGE_AGE` has passed since its first failed attempt. An event whose member was never
    /// asked for has no such end: see [`Self::is_overdue`].
    pub fn defer(
        &self,
        history: &History,
        wait: Duration,
        now: DateTime<Utc>,
    ) -> Option<(Duration, History)> {
        if history.first_failed_at.is_some_and(|since| self.is_over(since, now)) {
            return None;
        }
        let mut history = history.clone();
        let since = *history.deferred_since.get_or_insert(now);
        let lasted = (now - since).to_std().unwrap_or_default().min(LONGEST_DEFERRAL);
        let delays = self.ascending();
        let enough = delays.iter().find(|delay| **delay >= wait).or(delays.last());
        let climbed = delays.iter().rfind(|delay| **delay <= lasted);
        let short = delays.iter().rfind(|delay| **delay <= LONGEST_DEFERRAL).or(delays.first());
        let delay = *enough.max(climbed).min(short)?;
        history.deferrals = history.deferrals.saturating_add(1);
        history.crashes = 0;
        Some((delay, history))
    }

    /// Decides about an event that is deferred because others need the room while its core answers,
    /// and whose turn may be in so long. That is no outage, and no age ends it.
    pub fn make_room(&self, history: &History, turn: Duration) -> (Duration, History) {
        let mut history = history.clone();
        history.deferrals = history.deferrals.saturating_add(1);
        (history.deferred_since, history.crashes) = (None, 0);
        (self.delay_until_turn(turn), history)
    }

    /// Decides about an event whose campus is paused, and looked at again after `wait`: after the shortest delay that is
    /// long enough. An operator ends that and no age does, nor does an age that began before it.
    pub fn pause(&self, history: &History, wait: Duration) -> (Duration, History) {
        let mut history = history.clone();
        history.deferrals = history.deferrals.saturating_add(1);
        (history.deferred_since, history.first_failed_at, history.crashes) = (None, None, 0);
        let delays = self.ascending();
        let within_reason = |delay: &&Duration| **delay <= LONGEST_DEFERRAL;
        let enough = delays.iter().filter(within_reason).find(|delay| **delay >= wait);
        let longest = delays.iter().rfind(within_reason).or(delays.first());
        (enough.or(longest).copied().unwrap_or(SHORTEST_DELAY), history)
    }

    /// The longest delay that is not too long for an event whose turn may be in so long.
    pub fn delay_until_turn(&self, turn: Duration) -> Duration {
        let delays = self.delays();
        let in_time = delays.iter().rfind(|delay| **delay <= turn.min(LONGEST_DEFERRAL));
        in_time.or(delays.first()).copied().unwrap_or(SHORTEST_DELAY)
    }

    /// Whether an event was deferred for all of `RETRY_OUTAGE_AGE`, without its member having been asked
    /// for. It must be now, whatever is known of its core: nothing is dead unasked.
    pub fn is_overdue(&self, history: &History, now: DateTime<Utc>) -> bool {
        history.first_failed_at.is_none()
            && history.deferred_since.is_some_and(|since| self.is_over(since, now))
    }

    /// Whether an outage that began at `first_failed_at` has lasted for `RETRY_OUTAGE_AGE`.
    fn is_over(&self, first_failed_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        now - first_failed_at >= self.outage_age
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(delays: &str, age: &str) -> RetrySchedule {
        let pairs = [("RETRY_DELAYS", delays), ("RETRY_OUTAGE_AGE", age)];
        RetrySchedule::from_settings(&Settings::from_pairs(pairs)).unwrap()
    }

    fn refusal() -> Failure {
        Failure::new(Cause::MemberNotFound, FailureKind::Refusal, "not found")
    }

    fn outage() -> Failure {
        Failure::new(Cause::CoreUnavailable, FailureKind::Outage, "away")
    }

    #[test]
    fn a_refusal_is_dead_when_the_attempt_after_the_last_delay_fails() {
        let schedule = schedule("5s,30s", "24h");
        let now = Utc::now();
        let mut history = History::default();
        for expected in [5, 30] {
            let Next::Again(delay, next) = schedule.next(&history, &refusal(), now) else {
                panic!("dead too early");
            };
            assert_eq!(delay, Duration::from_secs(expected));
            history = next;
        }
        let Next::Dead(history) = schedule.next(&history, &refusal(), now) else {
            panic!("not dead");
        };
        assert_eq!(history.failed_attempts(), 3, "three attempts where two delays were used up");
    }

    #[test]
    fn an_outage_stays_at_the_last_delay_until_its_age_is_over() {
        let schedule = schedule("5s,30s", "1h");
        let begin = Utc::now();
        let mut history = History::default();
        for minute in 0..60 {
            let now = begin + TimeDelta::minutes(minute);
            let Next::Again(delay, next) = schedule.next(&history, &outage(), now) else {
                panic!("dead after {minute} minutes");
            };
            assert_eq!(delay, Duration::from_secs(if minute == 0 { 5 } else { 30 }));
            history = next;
        }
        let late = begin + TimeDelta::hours(1);
        assert!(matches!(schedule.next(&history, &outage(), late), Next::Dead(_)));
    }

    #[test]
    fn an_outage_uses_up_none_of_the_refusals_delays() {
        let schedule = schedule("5s", "24h");
        let now = Utc::now();
        let mut history = History::default();
        for _ in 0..50 {
            let Next::Again(_, next) = schedule.next(&history, &outage(), now) else { panic!() };
            history = next;
        }
        assert!(matches!(schedule.next(&history, &refusal(), now), Next::Again(..)));
    }

    #[test]
    fn what_is_deferred_for_an_outage_waits_as_long_again_and_it_is_no_attempt() {
        let schedule = schedule("5s,30s,2m,10m,1h", "24h");
        let begin = Utc::now();
        let mut history = History::default();
        let mut lasted = 0;
        for seconds in [5, 5, 5, 5, 5, 5, 30, 30, 30, 120, 120, 120, 120, 600, 600] {
            let now = begin + TimeDelta::seconds(lasted);
            let (delay, next) = schedule.defer(&history, Duration::from_secs(2), now).unwrap();
            assert_eq!(delay, Duration::from_secs(seconds), "after {lasted} s");
            (history, lasted) = (next, lasted + i64::try_from(seconds).unwrap());
        }
        assert_eq!((history.failed_attempts(), history.first_failed_at), (0, None));
        assert!(!history.is_first_attempt(), "a delete that was delayed asks the core");
        let Next::Again(delay, history) = schedule.next(&history, &outage(), begin) else {
            panic!()
        };
        assert_eq!((delay, history.deferrals), (Duration::from_secs(5), 0));
        assert_eq!(history.deferred_since, None);
    }

    #[test]
    fn what_is_deferred_comes_back_when_the_core_may_be_asked() {
        let schedule = schedule("5s,30s,2m,1h", "24h");
        let delay = |wait| schedule.defer(&History::default(), wait, Utc::now()).unwrap().0;
        assert_eq!(delay(Duration::from_secs(12)), Duration::from_secs(30));
        assert_eq!(delay(Duration::from_hours(1)), Duration::from_mins(2));
    }

    #[test]
    fn what_makes_room_is_back_for_its_turn_and_never_climbs() {
        let schedule = schedule("5s,30s,2m,10m,1h", "1s");
        let mut history = History::default();
        for (turn, expected) in [(0, 1), (4, 1), (5, 5), (29, 5), (31, 30), (3600, 600), (1, 1)] {
            let (delay, next) = schedule.make_room(&history, Duration::from_secs(turn));
            assert_eq!(delay, Duration::from_secs(expected), "{turn}");
            history = next;
            let late = Utc::now() + TimeDelta::hours(1);
            assert!(!schedule.is_overdue(&history, late), "the core answers");
        }
        assert_eq!(schedule.delays()[0], Duration::from_secs(1));
        assert_eq!(self::schedule("300ms,2s", "1s").delays()[0], Duration::from_millis(300));
    }

    #[test]
    fn what_is_paused_goes_round_ever_more_rarely_and_ages_no_more() {
        let schedule = schedule("5s,5m,1h", "1h");
        let now = Utc::now();
        let Next::Again(_, failed) = schedule.next(&History::default(), &outage(), now) else {
            panic!()
        };
        for (wait, expected) in [(1, 5), (5, 5), (6, 300), (600, 300), (6000, 300)] {
            let (delay, paused) = schedule.pause(&failed, Duration::from_secs(wait));
            assert_eq!(delay, Duration::from_secs(expected), "{wait}");
            assert_eq!((paused.outages, paused.deferrals), (failed.outages, 1));
            let resumed = now + TimeDelta::days(2);
            assert!(schedule.defer(&paused, Duration::ZERO, resumed).is_some());
            assert!(matches!(schedule.next(&paused, &outage(), resumed), Next::Again(..)));
        }
    }

    #[test]
    fn nothing_is_dead_that_was_never_asked_for() {
        let schedule = schedule("5s", "1h");
        let begin = Utc::now();
        let wait = Duration::ZERO;
        let (_, unasked) = schedule.defer(&History::default(), wait, begin).unwrap();
        let late = begin + TimeDelta::hours(1);
        assert!(!schedule.is_overdue(&unasked, begin) && schedule.is_overdue(&unasked, late));
        assert!(schedule.defer(&unasked, wait, late).is_some());
        // Asked for at last, its age begins.
        let Next::Again(_, asked) = schedule.next(&unasked, &outage(), late) else { panic!() };
        let (_, asked) = schedule.defer(&asked, wait, late).unwrap();
        let later = late + TimeDelta::hours(1);
        assert!(!schedule.is_overdue(&asked, later));
        assert!(schedule.defer(&asked, wait, later).is_none());
    }

    #[test]
    fn what_an_account_without_its_right_was_refused_is_taken_back() {
        let schedule = schedule("5s", "24h");
        let now = Utc::now();
        let forbidden = |kind| Failure::new(Cause::CoreForbidden, kind, "forbidden");
        let Next::Again(_, once) =
            schedule.next(&History::default(), &forbidden(FailureKind::Refusal), now)
        else {
            panic!()
        };
        let Next::Again(_, back) = schedule.next(&once, &forbidden(FailureKind::Outage), now)
        else {
            panic!()
        };
        assert_eq!((back.refusals, back.outages), (0, 1));
    }

    #[test]
    fn unusable_delays_are_bad_settings() {
        for delays in ["5", "5s,,1m", "0s", "50d"] {
            let settings = Settings::from_pairs([("RETRY_DELAYS", delays)]);
            assert!(RetrySchedule::from_settings(&settings).is_err(), "{delays}");
        }
    }
}
