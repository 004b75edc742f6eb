//! Postgres could not be reached, or did not do what it was asked.

use deadpool_postgres::{PoolError, TimeoutType};
use tokio_postgres::error::SqlState;

use crate::{
    attempt::Attempt,
    failure::{Fault, fault},
    statement_error::{Error, in_words},
};

/// Postgres could not be reached, or did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// No connection to any of the hosts.
    #[error("cannot connect to Postgres {}", joined(.0))]
    Connect(Vec<Attempt>),
    /// No connection from the pool.
    #[error("cannot get a connection to Postgres: {}", of_pool(.0))]
    Pool(PoolError),
    /// The pool could not be made.
    #[error("cannot make a pool of connections: {0}")]
    Build(#[from] deadpool_postgres::BuildError),
    /// It says nothing.
    #[error("Postgres does not answer")]
    Silent,
    /// Nothing can be written.
    #[error("Postgres takes no writes: {0}")]
    ReadOnly(&'static str),
    /// A statement failed.
    #[error("cannot {operation}: {}{error}", error.kind_of_failure())]
    Statement {
        /// What was being done, as the end of "cannot …".
        operation: &'static str,
        /// Why it failed.
        error: Error,
    },
}

fn joined(attempts: &[Attempt]) -> String {
    let attempts: Vec<String> = attempts.iter().map(ToString::to_string).collect();
    attempts.join("; ")
}

/// The pool's own words for a server that is away are "Error occurred while creating a new object".
fn of_pool(error: &PoolError) -> String {
    match error {
        PoolError::Backend(cause) => in_words(cause),
        PoolError::Timeout(TimeoutType::Wait) => "all of the pool's are in use".to_owned(),
        PoolError::Timeout(_) => "Postgres does not answer".to_owned(),
        other => in_words(other),
    }
}

impl DatabaseError {
    /// The SQLSTATE that a session was refused with.
    pub fn refusal(&self) -> Option<&str> {
        let Self::Connect(attempts) = self else { return None };
        attempts.iter().find_map(|attempt| attempt.error()?.code()).map(SqlState::code)
    }

    /// The SQLSTATE of a statement that Postgres refused though it is there: a right is missing, a trigger raised an
    /// exception, it took too long. What is in the way of the session, or only for the moment, is none.
    pub fn refused(&self) -> Option<&str> {
        let Self::Statement { error, .. } = self else { return None };
        let state = error.code()?;
        let is_refused = matches!(self.fault(), Fault::Row | Fault::Unclear)
            || *state == SqlState::QUERY_CANCELED;
        is_refused.then(|| state.code())
    }

    /// Whether a pooler gives each transaction another session.
    pub fn is_transaction_pooling(&self) -> bool {
        matches!(self, Self::Connect(attempts) if attempts.iter().any(Attempt::is_pooled))
    }

    /// Whether whatever is to be written cannot be: a server that takes no writes, or none that does.
    pub fn is_read_only(&self) -> bool {
        match self {
            Self::ReadOnly(_) => true,
            Self::Connect(attempts) => attempts.iter().any(Attempt::is_unwanted),
            _ => false,
        }
    }

    /// Whether Postgres itself is not there: other than where it refuses a statement, or the pool's connections are all in use.
    pub fn is_away(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Silent | Self::ReadOnly(_) => true,
            Self::Pool(error) => !matches!(error, PoolError::Timeout(TimeoutType::Wait)),
            Self::Build(_) => false,
            // A connection that broke has no SQLSTATE; 08: connection, 57P0x: it shuts down or starts.
            Self::Statement { error, .. } => error.code().is_none_or(|state| {
                let state = state.code();
                state.starts_with("08") || state.starts_with("57P0")
            }),
        }
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Statement { error, .. } => fault(error),
            _ => Fault::Session,
        }
    }

    /// Wraps a statement's error with what it was for: `.map_err(DatabaseError::during("…"))`.
    pub fn during<E: Into<Error>>(operation: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::Statement { operation, error: error.into() }
    }
}
