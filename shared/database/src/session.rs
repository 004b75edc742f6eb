//! What a session is, and what each is set to.

use tokio_postgres::{Client, SimpleQueryMessage, SimpleQueryRow};

use crate::{DatabaseError, Error};

/// What every session is set to, unless `options` of `DATABASE_URL` says otherwise. By `SET` and not
/// when the session starts: PgBouncer refuses the start-up parameter `options`, or drops it.
///
/// * `lock_timeout`: a row held by a stuck session delays its own event, not the whole batch.
/// * `idle_in_transaction_session_timeout`: a worker that froze gives its locks back.
/// * `synchronous_commit`: an acknowledged event is on disk, whatever the server's default.
/// * `jit`: compiling a statement takes longer than any of ours runs.
/// * `statement_timeout`: nothing this product asks takes half a minute unless something is wrong.
const SETTINGS: &[(&str, &str)] = &[
    ("lock_timeout", "3s"),
    ("idle_in_transaction_session_timeout", "5s"),
    ("synchronous_commit", "on"),
    ("jit", "off"),
    ("statement_timeout", "30s"),
];

/// The statements that set a session, beside the start-up `options`.
pub(crate) fn settings(options: Option<&str>) -> String {
    let options = options.unwrap_or_default().replace('-', "_");
    let named = |name: &str| options.contains(&format!("{name}="));
    let statements: Vec<String> = SETTINGS
        .iter()
        .filter(|(name, _)| !named(name))
        .map(|(name, value)| format!("SET {name} = '{value}'"))
        .collect();
    statements.join("; ")
}

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

/// An error where nothing can be written: readiness of whoever writes, and a finding of `doctor`.
pub async fn ensure_writable(client: &Client) -> Result<(), DatabaseError> {
    let backend = Backend::of(client)
        .await
        .map_err(DatabaseError::during("ask whether Postgres takes writes"))?;
    if backend.is_standby {
        return Err(DatabaseError::ReadOnly("the server is a standby"));
    }
    if backend.is_read_only {
        return Err(DatabaseError::ReadOnly("default_transaction_read_only is on"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::settings;

    #[test]
    fn what_the_url_sets_is_not_set_again() {
        assert!(settings(None).contains("SET lock_timeout = '3s'"));
        let beside = settings(Some("-c lock_timeout=1s --statement-timeout=5s"));
        assert!(!beside.contains("SET lock_timeout") && !beside.contains("SET statement_timeout"));
        assert!(beside.contains("SET jit = 'off'"));
    }
}
