//! Waiting for a condition, with a deadline, instead of sleeping.

use std::time::Duration;

use tokio::time::Instant;

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What a condition answers: whether it holds, and with what.
pub trait Condition {
    /// What [`eventually`] returns.
    type Value;
    /// The value if the condition holds, else why not, where it can tell.
    fn outcome(self) -> Result<Self::Value, String>;
}

impl Condition for bool {
    type Value = ();
    fn outcome(self) -> Result<(), String> {
        if self { Ok(()) } else { Err(String::new()) }
    }
}

impl<T> Condition for Option<T> {
    type Value = T;
    fn outcome(self) -> Result<T, String> {
        self.ok_or_else(String::new)
    }
}

impl<T> Condition for Result<T, String> {
    type Value = T;
    fn outcome(self) -> Self {
        self
    }
}

/// Asks `condition` again and again until it holds, and returns its value: a `bool`, an `Option`,
/// or a `Result` whose error says what was seen instead.
///
/// Panics when it does not hold within `limit`: with `what` was waited for and what was seen last.
pub async fn eventually<C: Condition>(
    what: &str,
    limit: Duration,
    mut condition: impl AsyncFnMut() -> C,
) -> C::Value {
    let deadline = Instant::now() + limit;
    let mut seen = String::from("no answer at all");
    loop {
        let answer = tokio::time::timeout_at(deadline, condition()).await;
        match answer.map(Condition::outcome) {
            Ok(Ok(value)) => return value,
            Ok(Err(reason)) => seen = reason,
            Err(_) => {}
        }
        if Instant::now() >= deadline {
            let colon = if seen.is_empty() { "" } else { "; last seen: " };
            panic!("waited {limit:?} in vain until {what}{colon}{seen}");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
