//! How long a core that gives nothing is borne with.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tracing::info;

use crate::{CoreError, LoginTrouble, Unreachable};

/// A core that gives nothing for so long is given up, …
const SILENCE_LIMIT: Duration = Duration::from_secs(10);
/// … or at so many failures in a row.
const MOST_FAILURES: u32 = 50;
/// How long the core may ask to be left alone, all in all, before it gives something.
const LONGEST_RATE_LIMIT: Duration = Duration::from_mins(15);
/// The same while logins to its host are used up: they come again within a minute.
const LONGEST_BUDGET: Duration = Duration::from_secs(75);
/// How long one that is asked too often and does not say for how long is left alone.
const USUAL_RETRY_AFTER: Duration = Duration::from_secs(2);
/// Before something else is asked for.
const SHORT_PAUSE: Duration = Duration::from_millis(20);
/// Before the same is asked for again: doubled with each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The core's silence, shared by all questions of a run: it ends with whatever the core gives to any of
/// them, and begins with the next question after that.
#[derive(Debug, Default)]
pub struct Silence(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    since: Option<Instant>,
    failures: u32,
    /// How often the same was asked for again.
    repeats: u32,
    rate_limited: Duration,
    without_logins: Duration,
    answers: u64,
}

/// What is asked for after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The same again.
    Same,
    /// Less, or something else.
    Other,
}

impl Silence {
    /// A question is about to be asked.
    pub fn asking(&self) {
        self.state().since.get_or_insert_with(Instant::now);
    }

    /// The core gave a row, a member, or a word about one.
    pub fn answered(&self) {
        let mut state = self.state();
        *state = State { answers: state.answers + 1, ..State::default() };
    }

    /// How often the core gave something until now.
    pub fn answers(&self) -> u64 {
        self.state().answers
    }

    /// A question failed. Answers for how long to pause before `next` is asked for; none where the core is
    /// given up.
    pub fn failed(&self, error: &CoreError, next: Next) -> Option<Duration> {
        let mut state = self.state();
        state.failures += 1;
        if state.failures >= MOST_FAILURES {
            return None;
        }
        match error {
            CoreError::RateLimited { retry_after, .. } => {
                let pause = retry_after.unwrap_or(USUAL_RETRY_AFTER);
                if retry_after.is_some() {
                    info!("core sent Retry-After: {} s", pause.as_secs());
                } else {
                    info!(
                        "core answered HTTP 429 without Retry-After: waiting {} s",
                        pause.as_secs()
                    );
                }
                state.since = None;
                return within(pause, &mut state.rate_limited, LONGEST_RATE_LIMIT);
            }
            // The core's own limit, and no failure.
            CoreError::LoginPaused { retry_after, after: LoginTrouble::Budget } => {
                info!(
                    seconds = retry_after.as_secs(),
                    "the core's logins of this minute are used up"
                );
                state.since = None;
                return within(*retry_after, &mut state.without_logins, LONGEST_BUDGET);
            }
            // It is giving something, if not within the time.
            CoreError::Unreachable { kind: Unreachable::Slow, .. } => state.since = None,
            _ => {}
        }
        let silent = state.since.get_or_insert_with(Instant::now).elapsed();
        let left = SILENCE_LIMIT.checked_sub(silent).filter(|left| !left.is_zero())?;
        let pause = match (next, error.retry_after()) {
            (_, Some(retry_after)) => retry_after,
            (Next::Other, None) => SHORT_PAUSE,
            (Next::Same, None) => {
                state.repeats += 1;
                let doublings = (state.repeats - 1).min(10);
                (FIRST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE)
            }
        };
        Some(pause.min(left))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The wait, unless it would be too long with what was waited before.
fn within(wait: Duration, waited: &mut Duration, longest: Duration) -> Option<Duration> {
    *waited += wait;
    (*waited <= longest).then_some(wait)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Operation;

    fn server(retry_after: Option<u64>) -> CoreError {
        let retry_after = retry_after.map(Duration::from_secs);
        CoreError::Server { call: Operation::ListMembers.into(), status: 500, retry_after }
    }

    /// Asks until the core is given up; answers for how long and how often.
    async fn asked(silence: &Silence, next: Next, error: impl Fn() -> CoreError) -> (u64, u32) {
        let begun = Instant::now();
        for asked in 1.. {
            silence.asking();
            let Some(pause) = silence.failed(&error(), next) else {
                return (begun.elapsed().as_secs(), asked);
            };
            tokio::time::sleep(pause).await;
        }
        unreachable!()
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_fails_ends_after_ten_seconds_or_fifty_questions() {
        let paused = || CoreError::LoginPaused {
            retry_after: Duration::from_secs(15),
            after: LoginTrouble::Away,
        };
        assert_eq!(asked(&Silence::default(), Next::Same, paused).await.0, 10);
        let (seconds, questions) = asked(&Silence::default(), Next::Same, || server(None)).await;
        assert!(seconds == 10 && questions < 20, "{questions}");
        assert_eq!(asked(&Silence::default(), Next::Same, || server(Some(4))).await.0, 10);
        assert_eq!(asked(&Silence::default(), Next::Other, || server(None)).await.1, 50);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_limit_is_no_silence() {
        let limited = || CoreError::RateLimited {
            call: Operation::ListMembers.into(),
            retry_after: Some(Duration::from_mins(1)),
        };
        assert_eq!(asked(&Silence::default(), Next::Same, limited).await, (15 * 60, 16));
        let spent = || CoreError::LoginPaused {
            retry_after: Duration::from_mins(1),
            after: LoginTrouble::Budget,
        };
        assert_eq!(asked(&Silence::default(), Next::Same, spent).await.0, 60);
    }

    #[tokio::test(start_paused = true)]
    async fn any_answer_begins_it_anew() {
        let silence = Silence::default();
        for _ in 0..100 {
            silence.asking();
            tokio::time::sleep(Duration::from_secs(9)).await;
            assert!(silence.failed(&server(None), Next::Same).is_some());
            silence.answered();
            // Nobody asks for a while: that is no silence of the core.
            tokio::time::sleep(Duration::from_mins(1)).await;
        }
        assert_eq!(silence.answers(), 100);
    }
}
