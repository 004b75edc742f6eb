//! The classifier: what a failure of the core means for the event that met it.

use core_api::{CoreError, LoginTrouble, Operation};

use crate::{Cause, Failure, FailureKind};

/// Whether the failure may well be over in a second, so that the attempt itself retries it. One that
/// says how long it will last is not.
pub fn is_transient(error: &CoreError) -> bool {
    error.retry_after().is_none()
        && error.operation() != Operation::LogIn
        && matches!(
            error,
            CoreError::Unreachable { .. } | CoreError::Server { .. } | CoreError::NotAnApi { .. }
        )
}

/// Sorts a failure of the core into outage or refusal (decision 5).
pub fn classify(error: &CoreError) -> Failure {
    use CoreError as E;
    let (cause, kind) = match error {
        E::Unreachable { .. }
        | E::Server { .. }
        | E::RateLimited { .. }
        | E::NotAnApi { .. }
        | E::LoginPaused { after: LoginTrouble::Away | LoginTrouble::Budget, .. } => {
            (Cause::CoreUnavailable, FailureKind::Outage)
        }
        E::LoginRefused { .. }
        | E::LoginPaused { after: LoginTrouble::Refused, .. }
        | E::Unauthorized { .. } => (Cause::CoreRejectedLogin, FailureKind::Outage),
        E::Forbidden { .. } => (Cause::CoreForbidden, FailureKind::Refusal),
        E::NotFound { .. } | E::Gone { .. } => (Cause::MemberNotFound, FailureKind::Refusal),
        // A login that answers nonsense is a core in trouble, not a bad event.
        E::LoginPaused { after: LoginTrouble::BadAnswer, .. }
        | E::BadResponse { operation: Operation::LogIn, .. }
        | E::TooLarge { operation: Operation::LogIn } => {
            (Cause::CoreBadResponse, FailureKind::Outage)
        }
        E::BadResponse { .. } | E::TooLarge { .. } => {
            (Cause::CoreBadResponse, FailureKind::Refusal)
        }
    };
    Failure::new(cause, kind, sentence(&error.to_string()))
}

/// An error's text as a sentence.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(char::to_uppercase).into_iter().flatten();
    first.chain(characters).chain(['.']).collect()
}
