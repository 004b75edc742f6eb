//! What the campuses' cores answer, and how long that takes, by campus. Labels are made once a
//! campus, not once a request.

use std::time::Duration;

use core_api::{CoreError, SessionError};
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram},
};
use runtime::metrics::meter;
use uuid::Uuid;

/// Upper bounds in seconds: fewer than elsewhere, since each campus has its own.
const SECONDS: [f64; 9] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// What a fetch came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Member,
    NotFound,
    Forbidden,
    BadResponse,
    RateLimited,
    ServerError,
    Unreachable,
    LoginRefused,
    LoginPaused,
    /// Our own settings do not open it: a key or an address.
    Unusable,
    /// Postgres had no token to give, and the core was not asked.
    NotAsked,
}

impl Answer {
    const ALL: [Self; 11] = [
        Self::Member,
        Self::NotFound,
        Self::Forbidden,
        Self::BadResponse,
        Self::RateLimited,
        Self::ServerError,
        Self::Unreachable,
        Self::LoginRefused,
        Self::LoginPaused,
        Self::Unusable,
        Self::NotAsked,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::NotFound => "not_found",
            Self::Forbidden => "forbidden",
            Self::BadResponse => "bad_response",
            Self::RateLimited => "rate_limited",
            Self::ServerError => "server_error",
            Self::Unreachable => "unreachable",
            Self::LoginRefused => "login_refused",
            Self::LoginPaused => "login_paused",
            Self::Unusable => "unusable",
            Self::NotAsked => "not_asked",
        }
    }

    fn of<T, E: std::error::Error + 'static>(result: &Result<T, SessionError<E>>) -> Self {
        match result {
            Ok(_) => Self::Member,
            Err(SessionError::Store(_) | SessionError::Outdated) => Self::NotAsked,
            Err(SessionError::Core(error)) => match error {
                CoreError::NotFound { .. } | CoreError::Gone { .. } => Self::NotFound,
                CoreError::Forbidden { .. } => Self::Forbidden,
                CoreError::BadResponse { .. } | CoreError::TooLarge { .. } => Self::BadResponse,
                CoreError::RateLimited { .. } => Self::RateLimited,
                CoreError::Server { .. } | CoreError::NotAnApi { .. } => Self::ServerError,
                CoreError::Unreachable { .. } => Self::Unreachable,
                CoreError::LoginRefused { .. } | CoreError::Unauthorized { .. } => {
                    Self::LoginRefused
                }
                CoreError::LoginPaused { .. } => Self::LoginPaused,
            },
        }
    }
}

/// The instruments of all campuses.
pub(crate) struct CoreMetrics {
    seconds: Histogram<f64>,
    answers: Counter<u64>,
    undecided: Counter<u64>,
}

/// One campus's, with its labels.
pub(crate) struct CampusMetrics {
    seconds: Histogram<f64>,
    answers: Counter<u64>,
    undecided: Counter<u64>,
    campus: [KeyValue; 1],
    by_answer: [[KeyValue; 2]; Answer::ALL.len()],
}

impl CoreMetrics {
    pub(crate) fn new() -> Self {
        Self {
            seconds: meter()
                .f64_histogram("worker_core_fetch_duration_seconds")
                .with_description("Duration of a fetch from a campus's core, retries of transient failures included")
                .with_boundaries(SECONDS.to_vec())
                .build(),
            answers: meter()
                .u64_counter("worker_core_fetches")
                .with_description("Fetches from a campus's core, by what they came to")
                .build(),
            undecided: meter()
                .u64_counter("worker_members_undecided")
                .with_description("Members that lack a field which the campus's sync filter names")
                .build(),
        }
    }

    /// The campus's instruments, each of its counters at zero.
    pub(crate) fn of(&self, campus: Uuid) -> CampusMetrics {
        let campus = KeyValue::new("campus", campus.to_string());
        let by_answer =
            Answer::ALL.map(|answer| [KeyValue::new("answer", answer.as_str()), campus.clone()]);
        for labels in &by_answer {
            self.answers.add(0, labels);
        }
        self.undecided.add(0, std::slice::from_ref(&campus));
        CampusMetrics {
            seconds: self.seconds.clone(),
            answers: self.answers.clone(),
            undecided: self.undecided.clone(),
            campus: [campus],
            by_answer,
        }
    }
}

impl CampusMetrics {
    /// A fetch ended so.
    pub(crate) fn fetched<T, E: std::error::Error + 'static>(
        &self,
        result: &Result<T, SessionError<E>>,
        duration: Duration,
    ) {
        self.seconds.record(duration.as_secs_f64(), &self.campus);
        self.answers.add(1, &self.by_answer[Answer::of(result) as usize]);
    }

    /// It was not fetched, since our settings do not open the core.
    pub(crate) fn unusable(&self) {
        self.answers.add(1, &self.by_answer[Answer::Unusable as usize]);
    }

    /// A member came without a field that the filter asks for.
    pub(crate) fn undecided(&self) {
        self.undecided.add(1, &self.campus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_found_at_its_own_place() {
        for (place, answer) in Answer::ALL.into_iter().enumerate() {
            assert_eq!(answer as usize, place);
        }
    }
}
