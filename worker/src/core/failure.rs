//! What a core's answer says of the core itself, beside the event that asked.

use std::time::Duration;

use core_api::{CoreError, SessionError};
use retry::{Cause, Failure, FailureKind, classify};

use crate::core::breaker::CoreFailure;

/// The longest that a refused or crowded login keeps a campus's events away from its core: an
/// operator may mend it at any moment, and asking the session costs the core nothing.
const LOGIN_PAUSE: Duration = Duration::from_secs(5);

/// What a failure says of the core; none where it answered, and about this member alone.
pub(crate) fn core_failure(error: &CoreError, failure: &Failure) -> Option<CoreFailure> {
    match error {
        CoreError::Forbidden { .. } => Some(CoreFailure::Forbidden),
        CoreError::Server { .. } | CoreError::NotAnApi { .. } => Some(CoreFailure::Error),
        _ if failure.kind == FailureKind::Outage => Some(CoreFailure::Away),
        _ => None,
    }
}

/// Whether a member that was readable before confirms the failure that others met.
pub(crate) fn fails<T, E: std::error::Error + 'static>(
    answer: &Result<T, SessionError<E>>,
    met: CoreFailure,
) -> bool {
    let Err(SessionError::Core(error)) = answer else { return false };
    core_failure(error, &classify(error))
        .is_some_and(|now| (now == CoreFailure::Forbidden) == (met == CoreFailure::Forbidden))
}

/// The failure as what it is where it is not of one member alone.
pub(crate) fn of_core(kind: CoreFailure, failure: &Failure) -> Failure {
    match kind {
        CoreFailure::Forbidden => Failure::new(
            Cause::CoreForbidden,
            FailureKind::Outage,
            format!("{} All members: the account has lost its permission.", failure.reason),
        ),
        CoreFailure::Away | CoreFailure::Error => failure.clone(),
    }
}

/// For how long the core, or the way to its login, asks to wait (`Retry-After`); at least a moment where
/// it says that there was too much.
pub(crate) fn retry_after(error: &CoreError) -> Option<Duration> {
    match error {
        CoreError::RateLimited { retry_after, .. } => Some(retry_after.unwrap_or_default()),
        CoreError::LoginPaused { retry_after, .. } => Some((*retry_after).min(LOGIN_PAUSE)),
        CoreError::LoginRefused { .. } => Some(LOGIN_PAUSE),
        error => error.retry_after(),
    }
}
