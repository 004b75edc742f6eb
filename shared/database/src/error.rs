//! What Postgres said, in words that may be logged: SQLSTATE and message, and never the detail, which
//! quotes the values of rows. tokio-postgres says "db error", and the rest in its causes, detail
//! included; so its own error type leaves this crate wrapped only.

use std::{error::Error as StdError, fmt, ops::Deref};

use deadpool_postgres::{PoolError, TimeoutType};
use tokio_postgres::error::{DbError, SqlState};

use crate::{Fault, dial::Attempt, fault};

/// An error of a statement or a session.
pub struct Error(tokio_postgres::Error);

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Self(error)
    }
}

impl Deref for Error {
    type Target = tokio_postgres::Error;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&in_words(&self.0))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Without a source: everything has been said that may be.
impl StdError for Error {}

/// An error of whatever library with what it does not say of its causes, such as why a TLS handshake
/// failed; what Postgres said among them as [`Error`] says it.
pub fn in_words(error: &(dyn StdError + 'static)) -> String {
    let mut words = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(refusal) = refusal(error) {
            // "db error" in front of it is no information.
            return refusal;
        }
        let text = error.to_string();
        if words.is_empty() {
            words = text;
        } else if !words.contains(&text) {
            words = format!("{words}: {text}");
        }
        next = error.source();
    }
    words
}

fn refusal(error: &(dyn StdError + 'static)) -> Option<String> {
    let refusal = match error.downcast_ref::<tokio_postgres::Error>() {
        Some(error) => error.as_db_error()?,
        None => error.downcast_ref::<DbError>()?,
    };
    let code = refusal.code().code();
    Some(format!("{} (SQLSTATE {code})", without_values(code, refusal.message())))
}

/// A message about a value that cannot be read quotes it: `invalid input syntax for type date: "…"`.
fn without_values(code: &str, message: &str) -> String {
    if !matches!(code, "22003" | "22007" | "22008" | "22P02") {
        return message.to_owned();
    }
    match (message.find('"'), message.rfind('"')) {
        (Some(begin), Some(end)) if begin < end => {
            format!("{}…{}", &message[..=begin], &message[end..])
        }
        _ => message.to_owned(),
    }
}

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
    #[error("cannot {operation}: {error}")]
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

#[cfg(test)]
mod tests {
    use super::without_values;

    #[test]
    fn a_message_that_quotes_a_value_is_said_without_it() {
        for (code, message, said) in [
            (
                "22P02",
                r#"invalid input syntax for type date: "15/01/1990""#,
                r#"invalid input syntax for type date: "…""#,
            ),
            (
                "22003",
                r#"value "99999" is out of range for type smallint"#,
                r#"value "…" is out of range for type smallint"#,
            ),
            (
                "22001",
                "value too long for type character varying(5)",
                "value too long for type character varying(5)",
            ),
            (
                "42P01",
                r#"relation "members" does not exist"#,
                r#"relation "members" does not exist"#,
            ),
        ] {
            assert_eq!(without_values(code, message), said);
        }
    }
}
