//! Which process of the server answers, and whether it takes writes.

use tokio_postgres::{Client, SimpleQueryMessage, SimpleQueryRow};

use crate::statement_error::Error;

/// The process of the server that answers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Backend {
    /// Process id and start: the same of two servers never come together.
    process: (String, String),
    pub(crate) is_standby: bool,
    pub(crate) is_read_only: bool,
}

/// A simple query: no prepared statement, which a pooler may not know.
const BACKEND: &str = "
    SELECT pid, backend_start, pg_is_in_recovery(), current_setting('transaction_read_only')::boolean
    FROM pg_stat_activity WHERE pid = pg_backend_pid()";

impl Backend {
    /// Asks who answers.
    pub(crate) async fn of(client: &Client) -> Result<Self, Error> {
        let rows = client.simple_query(BACKEND).await?;
        let row = rows.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let text =
            |column| row.and_then(|row: &SimpleQueryRow| row.get(column)).unwrap_or_default();
        Ok(Self {
            process: (text(0).to_owned(), text(1).to_owned()),
            is_standby: text(2) == "t",
            is_read_only: text(3) == "t",
        })
    }

    /// Whether both are one process.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.process == other.process
    }
}
