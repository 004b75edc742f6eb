//! A campus's core, as this worker has met it lately: asked while it answers, and left alone, but
//! for a probe now and then, while it does not.

use std::time::{Duration, Instant};

/// Outages in a row after which the core is left alone.
const OUTAGES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest time between two probes, and until a probe without an end is forgotten. A core that
/// is back must be found so before its people notice.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The longest that a core may ask to be left alone.
const LONGEST_WISH: Duration = Duration::from_mins(10);

/// Whether the core may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    /// By everybody.
    Open,
    /// By whoever got this answer, and by nobody else until it has said how it went.
    Probe,
    /// Not before the time has passed.
    Shut(Duration),
}

/// A circuit breaker: closed while the core answers.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    outages: u32,
    tripped: Option<Tripped>,
}

#[derive(Debug)]
struct Tripped {
    next_probe: Instant,
    pause: Duration,
}

impl Breaker {
    /// Whether whoever comes at `now` may ask.
    pub(crate) fn enter(&mut self, now: Instant) -> Entry {
        match &mut self.tripped {
            None => Entry::Open,
            Some(tripped) if tripped.next_probe <= now => {
                tripped.next_probe = now + LONGEST_PAUSE;
                Entry::Probe
            }
            Some(tripped) => Entry::Shut(tripped.next_probe.duration_since(now)),
        }
    }

    /// The core answered, be it a refusal.
    pub(crate) fn answered(&mut self) {
        *self = Self::default();
    }

    /// The core could not answer what was asked by leave of `entry`, and said for how long, if it
    /// said so.
    pub(crate) fn failed(&mut self, now: Instant, entry: Entry, wish: Option<Duration>) {
        self.outages = self.outages.saturating_add(1);
        let pause = match &self.tripped {
            Some(tripped) if entry == Entry::Probe => (tripped.pause * 2).min(LONGEST_PAUSE),
            // What was under way when it tripped fails too, and says nothing new but its wish.
            Some(_) if wish.is_none() => return,
            Some(tripped) => tripped.pause,
            None if self.outages < OUTAGES && wish.is_none() => return,
            None => FIRST_PAUSE,
        };
        let wish = wish.map_or(Duration::ZERO, |wish| wish.min(LONGEST_WISH));
        self.tripped = Some(Tripped { next_probe: now + pause.max(wish), pause });
    }

    /// Whether the core is left alone.
    pub(crate) fn is_tripped(&self) -> bool {
        self.tripped.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tripped(now: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..OUTAGES {
            assert_eq!(breaker.enter(now), Entry::Open);
            breaker.failed(now, Entry::Open, None);
        }
        assert!(breaker.is_tripped());
        breaker
    }

    #[test]
    fn a_core_that_fails_now_and_then_is_not_left_alone() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        for _ in 0..100 {
            for _ in 1..OUTAGES {
                breaker.failed(now, Entry::Open, None);
            }
            breaker.answered();
        }
        assert_eq!(breaker.enter(now), Entry::Open);
    }

    #[test]
    fn one_probe_at_a_time_finds_out_whether_it_is_back() {
        let now = Instant::now();
        let mut breaker = tripped(now);
        assert_eq!(breaker.enter(now), Entry::Shut(FIRST_PAUSE));
        let later = now + FIRST_PAUSE;
        assert_eq!(breaker.enter(later), Entry::Probe);
        assert!(matches!(breaker.enter(later), Entry::Shut(_)));
        breaker.answered();
        assert_eq!(breaker.enter(later), Entry::Open);
    }

    #[test]
    fn probes_come_slower_but_never_stop() {
        let mut now = Instant::now();
        let mut breaker = tripped(now);
        for pause in [1, 2, 4, 5, 5] {
            assert_eq!(breaker.enter(now), Entry::Shut(Duration::from_secs(pause)));
            now += Duration::from_secs(pause);
            assert_eq!(breaker.enter(now), Entry::Probe);
            breaker.failed(now, Entry::Probe, None);
        }
    }

    #[test]
    fn a_probe_that_never_ends_is_followed_by_another() {
        let now = Instant::now();
        let mut breaker = tripped(now);
        assert_eq!(breaker.enter(now + FIRST_PAUSE), Entry::Probe);
        assert_eq!(breaker.enter(now + FIRST_PAUSE + LONGEST_PAUSE), Entry::Probe);
    }

    #[test]
    fn what_was_under_way_when_it_tripped_prolongs_nothing() {
        let now = Instant::now();
        let mut breaker = tripped(now);
        breaker.failed(now + FIRST_PAUSE / 2, Entry::Open, None);
        assert_eq!(breaker.enter(now + FIRST_PAUSE), Entry::Probe);
    }

    #[test]
    fn a_core_that_asks_for_a_pause_gets_it_at_once() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        let wish = Duration::from_mins(2);
        breaker.failed(now, Entry::Open, Some(wish));
        assert_eq!(breaker.enter(now), Entry::Shut(wish));
        breaker.failed(now, Entry::Open, Some(Duration::from_hours(9)));
        assert_eq!(breaker.enter(now), Entry::Shut(LONGEST_WISH));
    }
}
