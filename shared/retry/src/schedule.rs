//! When a failed event is tried again, and when it is dead.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use event::History;
use runtime::{SettingError, Settings, parse_duration, variables};

use crate::{Failure, Kind};

/// Events that are only put off come back at least this often: the core may be well again long
/// before an event that failed many times is tried again.
const LONGEST_BOUNCE: Duration = Duration::from_mins(10);

/// Times that an event is put off by one delay before the next longer one: it is then back soon
/// after a short outage, and a long one's backlog does not circle hotly through the broker.
const BOUNCES_A_DELAY: u32 = 3;

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

    /// The delays, each once: one queue for each.
    pub fn delays(&self) -> Vec<Duration> {
        let mut delays = self.delays.clone();
        delays.sort_unstable();
        delays.dedup();
        delays
    }

    /// Decides after an attempt failed at `now`.
    ///
    /// A refusal climbs the delays and is dead when the attempt after the last one is refused too.
    /// An outage climbs them and stays at the last, until its patience is over.
    pub fn next(&self, history: &History, failure: &Failure, now: DateTime<Utc>) -> Next {
        let mut history = history.clone();
        let first_failed_at = *history.first_failed_at.get_or_insert(now);
        let counter = match failure.kind {
            Kind::Refusal | Kind::Final => &mut history.refusals,
            Kind::Outage => &mut history.outages,
        };
        let step = usize::try_from(*counter).unwrap_or(usize::MAX);
        *counter = counter.saturating_add(1);
        (history.bounces, history.crashes) = (0, 0);
        let delay = match failure.kind {
            Kind::Final => None,
            Kind::Refusal => self.delays.get(step),
            Kind::Outage if self.is_over(first_failed_at, now) => None,
            Kind::Outage => self.delays.get(step).or(self.delays.last()),
        };
        match delay {
            Some(delay) => Next::Again(*delay, history),
            None => Next::Dead(history),
        }
    }

    /// Decides about an event that is put off at `now` without an attempt, and would find no room
    /// for another `wait`: the shortest delay that is long enough, and longer ones in time, or it
    /// would circle through the broker for nothing. None once its patience with an outage is
    /// over: it must be attempted then, or be dead.
    ///
    /// What is put off for an outage that others have met begins to lose its patience too.
    pub fn bounce(
        &self,
        history: &History,
        wait: Duration,
        now: DateTime<Utc>,
    ) -> Option<(Duration, History)> {
        let mut history = history.clone();
        let first_failed_at = *history.first_failed_at.get_or_insert(now);
        if self.is_over(first_failed_at, now) {
            return None;
        }
        let mut delays = self.delays();
        let longest = delays.iter().rposition(|delay| *delay <= LONGEST_BOUNCE).unwrap_or(0);
        delays.truncate(longest + 1);
        let enough = delays.iter().position(|delay| *delay >= wait).unwrap_or(longest);
        let climbed = usize::try_from(history.bounces / BOUNCES_A_DELAY).unwrap_or(usize::MAX);
        history.bounces = history.bounces.saturating_add(1);
        history.crashes = 0;
        Some((*delays.get(enough.max(climbed)).or(delays.last())?, history))
    }

    /// Whether the patience with an outage that began at `first_failed_at` is over.
    fn is_over(&self, first_failed_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        now - first_failed_at >= self.outage_age
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cause;

    fn schedule(delays: &str, age: &str) -> RetrySchedule {
        let pairs = [("RETRY_DELAYS", delays), ("RETRY_OUTAGE_AGE", age)];
        RetrySchedule::from_settings(&Settings::from_pairs(pairs)).unwrap()
    }

    fn refusal() -> Failure {
        Failure::new(Cause::MemberNotFound, Kind::Refusal, "not found")
    }

    fn outage() -> Failure {
        Failure::new(Cause::CoreUnavailable, Kind::Outage, "away")
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
    fn an_outage_stays_at_the_last_delay_until_its_patience_is_over() {
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
    fn an_outage_uses_up_none_of_the_refusals_patience() {
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
    fn what_is_put_off_climbs_the_delays_up_to_ten_minutes_and_is_no_attempt() {
        let schedule = schedule("5s,30s,2m,10m,1h", "24h");
        let now = Utc::now();
        let mut history = History::default();
        for seconds in [5, 5, 5, 30, 30, 30, 120, 120, 120, 600, 600, 600, 600] {
            let (delay, next) = schedule.bounce(&history, Duration::from_secs(2), now).unwrap();
            assert_eq!(delay, Duration::from_secs(seconds));
            history = next;
        }
        assert_eq!(history.failed_attempts(), 0);
        assert!(!history.is_first_attempt(), "a delete that was delayed asks the core");
        let Next::Again(delay, history) = schedule.next(&history, &outage(), now) else { panic!() };
        assert_eq!((delay, history.bounces), (Duration::from_secs(5), 0));
    }

    #[test]
    fn what_is_put_off_comes_back_when_there_may_be_room() {
        let schedule = schedule("5s,30s,2m", "24h");
        let wait = Duration::from_secs(12);
        let (delay, _) = schedule.bounce(&History::default(), wait, Utc::now()).unwrap();
        assert_eq!(delay, Duration::from_secs(30));
        let wait = Duration::from_hours(1);
        let (delay, _) = schedule.bounce(&History::default(), wait, Utc::now()).unwrap();
        assert_eq!(delay, Duration::from_mins(2), "no longer than the longest there is");
    }

    #[test]
    fn patience_ends_for_what_is_only_put_off_too() {
        let schedule = schedule("5s", "1h");
        let begin = Utc::now();
        let wait = Duration::ZERO;
        let (_, history) = schedule.bounce(&History::default(), wait, begin).unwrap();
        let late = begin + TimeDelta::hours(1);
        assert!(schedule.bounce(&history, wait, late).is_none());
    }

    #[test]
    fn unusable_delays_are_bad_settings() {
        for delays in ["5", "5s,,1m", "0s", "50d"] {
            let settings = Settings::from_pairs([("RETRY_DELAYS", delays)]);
            assert!(RetrySchedule::from_settings(&settings).is_err(), "{delays}");
        }
    }
}
