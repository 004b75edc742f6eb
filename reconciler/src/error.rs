//! Why a run did not come to its end. Each text ends up in `sync_logs.error_message`, so none holds
//! anything about a person but the core's id.

use core_api::{NoEnd, SessionError};
use database::DatabaseError;
use retry::Failure;
use store::{ConfigError, TokenError};
use thiserror::Error;
use uuid::Uuid;

use crate::safety::ImplausibleList;

/// Why a run ended without a result.
#[derive(Debug, Error)]
pub(crate) enum RunError {
    #[error("no sync is configured for campus {0}")]
    UnknownCampus(Uuid),
    #[error("the campus's configuration cannot be used: {0}")]
    Config(#[from] ConfigError),
    #[error("{0}")]
    Core(String),
    #[error("a run of this campus is under way already")]
    UnderWay,
    #[error("the campus is paused: `faithctl campus resume {0}`")]
    Paused(Uuid),
    #[error("--allow-archive {asked}: {problem}")]
    NotAllowed { asked: u64, problem: String },
    #[error("page {page} of the member list of campus {campus} (from row {skip} on): {why}")]
    Page { campus: Uuid, page: u64, skip: u64, why: AskError },
    #[error("{0}: nobody is archived for such a list")]
    NoEnd(#[from] NoEnd),
    #[error("nothing could be decided about any of the {0} members and rows: {1}")]
    NothingDecided(u64, String),
    #[error(transparent)]
    ImplausibleList(#[from] ImplausibleList),
    #[error(
        "the core does not know members that it has just listed: {why} Whatever it says is gone is not believed, and nobody was archived"
    )]
    Canary { why: String },
    #[error("the core stopped answering when it was asked for members: {0}")]
    Silent(String),
    #[error("the campus's configuration was changed during the run")]
    ConfigurationChanged,
    #[error("the session with Postgres was lost, and the run's lock with it")]
    Lost,
    #[error("the run was interrupted")]
    Interrupted,
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// Why a question to the core has no answer.
pub(crate) type AskError = SessionError<TokenError>;

impl From<Failure> for RunError {
    fn from(failure: Failure) -> Self {
        Self::Core(failure.reason)
    }
}

impl RunError {
    /// Nobody can be asked for by id any more.
    pub(crate) fn silent(error: AskError) -> Self {
        match error {
            SessionError::Core(error) => Self::Silent(error.to_string()),
            SessionError::Store(TokenError::Database(error)) => Self::Database(error),
            error @ SessionError::Store(_) => Self::Silent(error.to_string()),
            SessionError::Outdated => Self::ConfigurationChanged,
        }
    }
}
