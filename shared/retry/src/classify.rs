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
        E::LoginPaused { after: LoginTrouble::BadAnswer, .. } => {
            (Cause::CoreBadResponse, FailureKind::Outage)
        }
        E::BadResponse { .. } | E::TooLarge { .. } if error.operation() == Operation::LogIn => {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use core_api::BadAnswer;

    use super::*;

    const FETCH: Operation = Operation::FetchMember;

    #[test]
    fn what_may_be_over_in_a_second_is_transient() {
        let server = |call: Operation, retry_after| CoreError::Server {
            call: call.into(),
            status: 502,
            retry_after,
        };
        assert!(is_transient(&server(FETCH, None)));
        assert!(is_transient(&CoreError::NotAnApi { call: FETCH.into() }));
        // It says how long it will last, or is one of the few logins that there are.
        assert!(!is_transient(&server(FETCH, Some(Duration::from_secs(1)))));
        assert!(!is_transient(&server(Operation::LogIn, None)));
        assert!(!is_transient(&CoreError::NotFound { call: FETCH.into() }));
        assert!(!is_transient(&CoreError::RateLimited { call: FETCH.into(), retry_after: None }));
    }

    #[test]
    fn each_failure_has_its_cause_and_kind() {
        use FailureKind::{Outage, Refusal};
        let paused = |after| CoreError::LoginPaused { retry_after: Duration::from_secs(5), after };
        let bad = |operation: Operation| CoreError::BadResponse {
            call: operation.into(),
            why: BadAnswer::UnknownShape,
        };
        let expected = [
            (
                CoreError::RateLimited { call: FETCH.into(), retry_after: None },
                "core_unavailable",
                Outage,
            ),
            (CoreError::NotAnApi { call: FETCH.into() }, "core_unavailable", Outage),
            (paused(LoginTrouble::Away), "core_unavailable", Outage),
            (paused(LoginTrouble::Budget), "core_unavailable", Outage),
            (paused(LoginTrouble::Refused), "core_rejected_login", Outage),
            (paused(LoginTrouble::BadAnswer), "core_bad_response", Outage),
            (
                CoreError::LoginRefused { call: Operation::LogIn.into(), status: 401 },
                "core_rejected_login",
                Outage,
            ),
            (CoreError::Unauthorized { call: FETCH.into() }, "core_rejected_login", Outage),
            (CoreError::Forbidden { call: FETCH.into() }, "core_forbidden", Refusal),
            (CoreError::NotFound { call: FETCH.into() }, "member_not_found", Refusal),
            (CoreError::Gone { call: FETCH.into() }, "member_not_found", Refusal),
            (bad(Operation::LogIn), "core_bad_response", Outage),
            (bad(FETCH), "core_bad_response", Refusal),
            (CoreError::TooLarge { call: Operation::LogIn.into() }, "core_bad_response", Outage),
            (CoreError::TooLarge { call: FETCH.into() }, "core_bad_response", Refusal),
        ];
        for (error, cause, kind) in expected {
            let failure = classify(&error);
            assert_eq!((failure.cause.as_str(), failure.kind), (cause, kind), "{error}");
        }
        let reason = classify(&CoreError::NotFound { call: FETCH.into() }).reason;
        assert_eq!(reason, "GET /api/members/{id}: HTTP 404 (not found).");
    }
}
