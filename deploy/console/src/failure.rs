//! Why a request is not answered with what it asked for.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use database::DatabaseError;

use crate::{password::PasswordError, rights::Permission};

/// The reason; the page that says so is made where it is known for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    NotFound,
    /// No method of this route.
    Method,
    /// The role lacks this.
    Forbidden(Permission),
    /// Another site made the request, or the form is of another session.
    Foreign,
    /// Another host's.
    Misdirected,
    TooLarge,
    TooMany,
    /// What cannot be read.
    Malformed,
    /// Postgres is away.
    Unavailable,
    /// It took too long.
    TooSlow,
    Internal,
}

impl Failure {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Forbidden(_) | Self::Foreign => StatusCode::FORBIDDEN,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Unavailable | Self::TooSlow => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What an answer stands for that something else than a screen has made.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::METHOD_NOT_ALLOWED => Self::Method,
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            StatusCode::NOT_FOUND => Self::NotFound,
            status if status.is_client_error() => Self::Malformed,
            _ => Self::Internal,
        }
    }

    /// The keys of its title and of what to do.
    pub(crate) fn keys(self) -> (&'static str, &'static str) {
        match self {
            Self::NotFound => ("failure-not-found", "failure-not-found-do"),
            Self::Method => ("failure-method", "failure-method-do"),
            Self::Forbidden(_) => ("failure-forbidden", "failure-forbidden-do"),
            Self::Foreign => ("failure-foreign", "failure-foreign-do"),
            Self::Misdirected => ("failure-misdirected", "failure-misdirected-do"),
            Self::TooLarge => ("failure-too-large", "failure-too-large-do"),
            Self::TooMany => ("failure-too-many", "failure-too-many-do"),
            Self::Malformed => ("failure-malformed", "failure-malformed-do"),
            Self::Unavailable => ("failure-unavailable", "failure-unavailable-do"),
            Self::TooSlow => ("failure-too-slow", "failure-too-slow-do"),
            Self::Internal => ("failure-internal", "failure-internal-do"),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// `query_canceled`: the statement's time was over.
const CANCELED: &str = "57014";

impl From<DatabaseError> for Failure {
    fn from(error: DatabaseError) -> Self {
        let is_slow = matches!(&error, DatabaseError::Statement { error, .. }
            if error.code().is_some_and(|code| code.code() == CANCELED));
        tracing::warn!(%error, "a page cannot be shown");
        match (is_slow, error.fault()) {
            (true, _) => Self::TooSlow,
            (false, database::Fault::Session) => Self::Unavailable,
            (false, _) => Self::Internal,
        }
    }
}

impl From<PasswordError> for Failure {
    fn from(error: PasswordError) -> Self {
        tracing::error!(%error, "a login cannot be answered");
        Self::Internal
    }
}

impl From<askama::Error> for Failure {
    fn from(error: askama::Error) -> Self {
        tracing::error!(%error, "a page cannot be written");
        Self::Internal
    }
}
