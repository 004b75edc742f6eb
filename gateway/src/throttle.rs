//! Log lines that an attacker or an outage could write without end, at most a few a second. What
//! is left out is counted, and the metrics count everything anyway.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

const LINES_A_SECOND: u32 = 5;

/// Decides which of many like lines are written.
pub(crate) struct Throttle {
    state: Mutex<State>,
}

struct State {
    second_began: Instant,
    written: u32,
    left_out: u64,
}

impl Throttle {
    pub(crate) fn new() -> Self {
        let state = State { second_began: Instant::now(), written: 0, left_out: 0 };
        Self { state: Mutex::new(state) }
    }

    /// Whether a line may be written now, and how many were left out since the last one.
    pub(crate) fn line(&self) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.second_began.elapsed() >= Duration::from_secs(1) {
            state.second_began = Instant::now();
            state.written = 0;
        }
        if state.written < LINES_A_SECOND {
            state.written += 1;
            Some(std::mem::take(&mut state.left_out))
        } else {
            state.left_out += 1;
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_writes_a_few_lines_and_counts_the_rest() {
        let throttle = Throttle::new();
        let written = (0..1000).filter(|_| throttle.line().is_some()).count();
        assert!((5..=10).contains(&written), "{written}");
        // As if the second had passed.
        throttle.state.lock().unwrap().second_began -= Duration::from_secs(1);
        assert!(throttle.line().is_some_and(|left_out| left_out >= 900));
        assert_eq!(throttle.line(), Some(0));
    }
}
