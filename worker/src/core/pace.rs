//! How fast a campus's core works off what waits for it, and when an event that is deferred should be
//! back so that its slots do not run dry.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Answers that the average goes over: a few slow ones among many say little.
const WEIGHT: f64 = 64.0;

/// Answers that the rate goes over. Where few of many are slow, those hold the slots together for a
/// while, without a word, and say nothing of how many will be answered after it.
const RATE_WEIGHT: f64 = 1024.0;

/// What a worker holds of a core is worked off within so long: nothing is gained by deferring.
const FAST: f64 = 2.0;

/// Supply is kept for a core that is this much faster than it was lately.
const MARGIN: f64 = 1.5;

/// Those who are away are counted by when they return, in parts of a second.
const PARTS: u128 = 8;

/// One core's.
#[derive(Debug)]
pub(crate) struct Pace {
    slots: usize,
    begin: Instant,
    under_way: usize,
    /// When those began, in seconds since `begin`, all together.
    began: f64,
    /// How long a request took of late.
    lately: Average,
    /// The same over many more.
    long: Average,
    /// Since when no answer has come, while any is waited for.
    silent_since: Instant,
    /// How many that were deferred return when.
    away: BTreeMap<u128, usize>,
}

/// An average over so many, in seconds.
#[derive(Debug, Default)]
struct Average {
    answers: f64,
    seconds: f64,
}

impl Average {
    fn add(&mut self, took: Duration, weight: f64) {
        self.answers = (self.answers + 1.0).min(weight);
        self.seconds += (took.as_secs_f64() - self.seconds) / self.answers;
    }
}

impl Pace {
    pub(crate) fn new(slots: usize, now: Instant) -> Self {
        Self {
            slots,
            begin: now,
            under_way: 0,
            began: 0.0,
            lately: Average::default(),
            long: Average::default(),
            silent_since: now,
            away: BTreeMap::new(),
        }
    }

    /// A request is on its way.
    pub(crate) fn asked(&mut self, now: Instant) {
        if self.under_way == 0 {
            self.silent_since = now;
        }
        self.under_way += 1;
        self.began += self.seconds(now);
    }

    /// One that was said to be on its way is so only now.
    pub(crate) fn sent(&mut self, asked: Instant, now: Instant) {
        self.began += self.seconds(now) - self.seconds(asked);
    }

    /// A request that began then has an end; `is_answered` unless nobody waited for it.
    pub(crate) fn ended(&mut self, began: Instant, now: Instant, is_answered: bool) {
        self.under_way = self.under_way.saturating_sub(1);
        self.began = if self.under_way == 0 { 0.0 } else { self.began - self.seconds(began) };
        if is_answered {
            self.silent_since = now;
            let took = now.duration_since(began);
            self.lately.add(took, WEIGHT);
            self.long.add(took, RATE_WEIGHT);
        }
    }

    /// Requests under way.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way
    }

    /// Whether so many events would be worked off in a moment. A core that hangs is not fast for
    /// longer than it was.
    pub(crate) fn is_fast(&self, now: Instant, events: usize) -> bool {
        number(events) * self.seconds_each(now) <= FAST
    }

    /// When the first slot is left without a successor, with so many who wait, and with all that
    /// return in time.
    pub(crate) fn dry_in(&mut self, now: Instant, waiting: usize) -> Duration {
        // Who returns in this part may be here already, and is one of those who wait.
        let this_part = self.part(now);
        while let Some(first) = self.away.first_entry()
            && *first.key() <= this_part
        {
            first.remove();
        }
        let each = self.seconds_between_answers(now) / MARGIN;
        let mut supply = number(waiting);
        for (part, number_of) in &self.away {
            let returns_in = Duration::from_millis(
                u64::try_from((part - this_part) * 1000 / PARTS).unwrap_or(u64::MAX),
            );
            if returns_in.as_secs_f64() > supply * each {
                break;
            }
            supply += number(*number_of);
        }
        Duration::try_from_secs_f64(supply * each).unwrap_or(Duration::MAX)
    }

    /// An event was deferred, and is back after `delay`.
    pub(crate) fn deferred(&mut self, now: Instant, delay: Duration) {
        let part = self.part(now + delay);
        *self.away.entry(part).or_default() += 1;
    }

    fn seconds_each(&self, now: Instant) -> f64 {
        let silent = match self.under_way {
            0 => Duration::ZERO,
            _ => now.duration_since(self.silent_since),
        };
        self.lately.seconds.max(silent.as_secs_f64()) / number(self.slots.max(1))
    }

    /// How far apart the answers are in the long run: all the time that slots were held for them, and as
    /// if those under way were answered now.
    fn seconds_between_answers(&self, now: Instant) -> f64 {
        let under_way = number(self.under_way);
        let held =
            self.long.seconds * self.long.answers + under_way * self.seconds(now) - self.began;
        let answers = (self.long.answers + under_way).max(1.0);
        held.max(0.0) / answers / number(self.slots.max(1))
    }

    fn seconds(&self, at: Instant) -> f64 {
        at.duration_since(self.begin).as_secs_f64()
    }

    fn part(&self, at: Instant) -> u128 {
        at.duration_since(self.begin).as_millis() * PARTS / 1000
    }
}

#[expect(clippy::cast_precision_loss, reason = "some thousands of events")]
fn number(events: usize) -> f64 {
    events as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A core with ten slots that answered so many requests, each in so long.
    fn pace(answers: usize, took: Duration) -> (Pace, Instant) {
        let now = Instant::now();
        let mut pace = Pace::new(10, now);
        for _ in 0..answers {
            pace.asked(now);
            pace.ended(now, now + took, true);
        }
        (pace, now)
    }

    #[test]
    fn some_slow_answers_among_many_make_no_slow_core() {
        let (mut pace, now) = pace(100, SECOND / 100);
        assert!(pace.is_fast(now, 200));
        for _ in 0..3 {
            pace.asked(now);
            pace.ended(now, now + SECOND, true);
        }
        assert!(pace.is_fast(now, 200));
    }

    #[test]
    fn a_core_that_falls_silent_is_not_fast_any_more() {
        let (mut pace, now) = pace(100, SECOND / 100);
        pace.asked(now);
        assert!(pace.is_fast(now + SECOND / 100, 100));
        assert!(!pace.is_fast(now + SECOND, 100));
        pace.ended(now, now + SECOND, false);
        assert!(pace.is_fast(now + SECOND, 100), "nobody waits for anything");
    }

    #[test]
    fn few_slow_answers_that_hold_all_slots_do_not_make_the_rest_slow() {
        let (mut pace, now) = pace(190, Duration::ZERO);
        for _ in 0..10 {
            pace.asked(now);
        }
        // Nobody has heard anything for five seconds, of ten in two hundred.
        let later = now + SECOND * 5;
        assert!(!pace.is_fast(later, 100));
        let turn = pace.dry_in(later, 100);
        assert!(turn < SECOND * 2, "{turn:?}");
        for _ in 0..10 {
            pace.ended(now, later, true);
        }
        // Ten slots do forty a second.
        let turn = pace.dry_in(later, 120).as_secs_f64();
        assert!((1.9..2.1).contains(&turn), "{turn}");
    }

    #[test]
    fn the_slots_run_dry_when_all_who_wait_or_return_in_time_are_through() {
        let (mut pace, now) = pace(10, SECOND);
        // Ten a second, and half as many again for a core that may be faster.
        assert_eq!(pace.dry_in(now, 30), SECOND * 2);
        for _ in 0..60 {
            pace.deferred(now, SECOND);
        }
        assert_eq!(pace.dry_in(now, 30), SECOND * 6);
        // Those come too late to count.
        pace.deferred(now, SECOND * 9);
        assert_eq!(pace.dry_in(now, 30), SECOND * 6);
        assert_eq!(pace.dry_in(now + SECOND * 2, 90), SECOND * 6, "they are back");
    }
}
