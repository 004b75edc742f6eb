//! What Postgres said, in words that may be logged: SQLSTATE and message, and never the detail, which
//! quotes the values of rows. tokio-postgres says "db error", and the rest in its causes, detail
//! included; so its own error type leaves this crate wrapped only.

use std::{error::Error as StdError, fmt, ops::Deref};

use tokio_postgres::error::{DbError, SqlState};

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

impl Error {
    /// What kept a session from being opened, before the words of whoever refused it: what to do is another thing for
    /// each.
    pub(crate) fn kind_of_refusal(&self) -> &'static str {
        match self.0.code().map(SqlState::code) {
            Some("28P01" | "28000") => "login refused: ",
            Some("3D000") => "database missing: ",
            Some(_) => "",
            None => "unreachable: ",
        }
    }

    /// What to do where a statement names what no migration has made yet.
    pub(crate) fn kind_of_failure(&self) -> &'static str {
        match self.0.code().map(SqlState::code) {
            Some("42P01" | "3F000") => "schema missing, run `faithctl migrate`: ",
            Some("42703" | "42883") => "schema too old, run `faithctl migrate`: ",
            _ => "",
        }
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
