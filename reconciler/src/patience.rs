//! How long the core is waited for.

use std::time::{Duration, Instant};

use core_api::{CoreError, SessionError};

use crate::error::AskError;

/// What keeps failing for so long ends the run (CONTRACT §1).
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the core may ask to be left alone, all in all, for one question.
const LONGEST_WAIT: Duration = Duration::from_mins(15);
/// How long one that is asked too often and does not say for how long is left alone.
const USUAL_WAIT: Duration = Duration::from_secs(2);

/// Asks until there is an answer: again while the core fails, for up to 10 s, and after as long as
/// it says where it wants to be left alone.
pub(crate) async fn patiently<T, F>(
    mut ask: impl FnMut() -> F,
    is_final: impl Fn(&CoreError) -> bool,
) -> Result<T, AskError>
where
    F: Future<Output = Result<T, AskError>>,
{
    let mut failing_since: Option<Instant> = None;
    let mut waited = Duration::ZERO;
    let mut pause = Duration::from_millis(100);
    loop {
        let error = match ask().await {
            Ok(answer) => return Ok(answer),
            Err(SessionError::Core(error)) if is_final(&error) => return Err(error.into()),
            Err(error) => error,
        };
        if let Some(wait) = wanted_wait(&error).filter(|wait| waited + *wait <= LONGEST_WAIT) {
            tracing::info!(seconds = wait.as_secs(), "the core wants to be left alone");
            waited += wait;
            // It answered, if only that: what failed before is over.
            failing_since = None;
            tokio::time::sleep(wait).await;
            continue;
        }
        let since = *failing_since.get_or_insert_with(Instant::now);
        if since.elapsed() >= PATIENCE {
            return Err(error);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}

/// How long the core wants to be left alone. A core in trouble that says so for longer than our
/// patience is failing all the same.
fn wanted_wait(error: &AskError) -> Option<Duration> {
    let SessionError::Core(error) = error else { return None };
    match error {
        CoreError::RateLimited { retry_after, .. } => Some(retry_after.unwrap_or(USUAL_WAIT)),
        CoreError::LoginPaused { retry_after, .. } => Some(*retry_after),
        CoreError::Server { retry_after, .. } => retry_after.filter(|wait| *wait < PATIENCE),
        _ => None,
    }
}

/// Whether asking again cannot help: the login is refused.
pub(crate) fn is_refused_login(error: &CoreError) -> bool {
    matches!(error, CoreError::LoginRefused { .. } | CoreError::Forbidden { .. })
}
