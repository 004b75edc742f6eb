//! Log lines that an attacker or an outage could write without end, at most a few a second of each
//! kind, so that a flood of one hides no other. What is left out is counted, and the metrics count
//! everything anyway.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

const LINES: u32 = 5;
const WINDOW: Duration = Duration::from_secs(1);

/// Decides which of many like lines are written.
pub(crate) struct LogRateLimit<Kind> {
    state: Mutex<State<Kind>>,
    most: usize,
}

struct State<Kind> {
    kinds: HashMap<Kind, Lines>,
    /// All the kinds for which there is no more room.
    rest: Lines,
}

/// The lines of one kind.
struct Lines {
    window_began: Instant,
    written: u32,
    left_out: u64,
}

impl<Kind: Hash + Eq> LogRateLimit<Kind> {
    /// A limit that distinguishes so many kinds; the others share what one may write.
    pub(crate) fn new(most: usize) -> Self {
        let state = State { kinds: HashMap::new(), rest: Lines::begin(Instant::now()) };
        Self { state: Mutex::new(state), most }
    }

    /// Whether a line of this kind may be written at `now`, and how many were left out since the
    /// last one.
    pub(crate) fn line(&self, kind: Kind, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { kinds, rest } = &mut *state;
        if kinds.len() >= self.most && !kinds.contains_key(&kind) {
            kinds.retain(|_, lines| !lines.are_over(now) || lines.left_out > 0);
        }
        let is_full = kinds.len() >= self.most && !kinds.contains_key(&kind);
        let lines =
            if is_full { rest } else { kinds.entry(kind).or_insert_with(|| Lines::begin(now)) };
        lines.line(now)
    }
}

impl Lines {
    fn begin(now: Instant) -> Self {
        Self { window_began: now, written: 0, left_out: 0 }
    }

    fn are_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.window_began) >= WINDOW
    }

    fn line(&mut self, now: Instant) -> Option<u64> {
        if self.are_over(now) {
            (self.window_began, self.written) = (now, 0);
        }
        if self.written < LINES {
            self.written += 1;
            Some(std::mem::take(&mut self.left_out))
        } else {
            self.left_out += 1;
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(limit: &LogRateLimit<u32>, kind: u32, now: Instant) -> usize {
        (0..1000).filter(|_| limit.line(kind, now).is_some()).count()
    }

    #[test]
    fn a_flood_writes_a_few_lines_and_counts_the_rest() {
        let (limit, now) = (LogRateLimit::new(10), Instant::now());
        assert_eq!(written(&limit, 1, now), 5);
        assert_eq!(limit.line(1, now + WINDOW), Some(995));
        assert_eq!(limit.line(1, now + WINDOW), Some(0));
    }

    #[test]
    fn a_flood_of_one_kind_hides_no_other() {
        let (limit, now) = (LogRateLimit::new(10), Instant::now());
        written(&limit, 1, now);
        assert_eq!(limit.line(2, now), Some(0));
    }

    #[test]
    fn kinds_without_room_share_and_find_it_when_others_are_over() {
        let (limit, now) = (LogRateLimit::new(2), Instant::now());
        for kind in [1, 2] {
            assert_eq!(limit.line(kind, now), Some(0));
        }
        assert_eq!((3..1000).filter(|kind| limit.line(*kind, now).is_some()).count(), 5);
        assert_eq!(limit.line(2, now), Some(0));
        // What was left out of a kind is not forgotten, and what was not makes room.
        written(&limit, 1, now);
        let later = now + WINDOW;
        assert_eq!(limit.line(3, later), Some(0));
        assert_eq!(limit.line(1, later), Some(996));
        assert_eq!(limit.state.lock().unwrap().kinds.len(), 2);
    }
}
