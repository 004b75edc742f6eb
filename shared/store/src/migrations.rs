//! The schema, applied in order and one program at a time.

use std::time::Duration;

use database::{Client, DatabaseError};
use tokio_postgres::error::SqlState;

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// Serialises migrations: refinery takes no lock of its own, and most of many concurrent runs fail. Tried again and again:
/// a statement that waited for it would be waited for by `CREATE INDEX CONCURRENTLY`.
const LOCK: &str = "SELECT pg_try_advisory_lock(hashtext('faithtracker member sync migrations'))";
const TRY_EVERY: Duration = Duration::from_millis(100);
const UNLOCK: &str = "SELECT pg_advisory_unlock(hashtext('faithtracker member sync migrations'))";

/// A migration can take longer than any statement of daily work, and waits for its turn.
const NO_TIMEOUTS: &str = "SET statement_timeout = 0; SET lock_timeout = 0";

/// Indices of dead letters: called what, over what. Made outside of a migration, since no worker shall wait for them.
const OF_LETTERS: [(&str, &str); 5] = [
    // What became of an operation's letters.
    ("dead_letters_operation", "(operation_id) WHERE operation_id IS NOT NULL"),
    // Every list, the groups and the counts; what they filter and group by is found without the row, and its envelope.
    (
        "dead_letters_status",
        "(status, dead_at, id, campus_id, cause, event_type) INCLUDE (replay_count)",
    ),
    ("dead_letters_open_cause", "(cause, dead_at, id) WHERE status = 'open'"),
    ("dead_letters_member", "(member_id, campus_id) WHERE member_id IS NOT NULL"),
    // The deliveries that failed for a cause.
    ("dead_letters_cause", "(cause, received_at, id)"),
];

/// The schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// A statement around the migrations failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Somebody holds what a migration changes; those who wait behind a migration shall not wait long.
    #[error(
        "cannot apply the migrations: a transaction that lasts long (a dump, a report) holds a table that one of them changes, \
         and events would wait behind it. What was applied stays so: run it again once that transaction has ended"
    )]
    Held,
    /// A migration failed; the ones before it stay applied.
    #[error("cannot apply the migrations: {0}")]
    Refinery(String),
}

impl From<refinery::Error> for MigrationError {
    fn from(error: refinery::Error) -> Self {
        let cause = std::error::Error::source(&error);
        let cause = cause.and_then(|cause| cause.downcast_ref::<tokio_postgres::Error>());
        match cause.and_then(tokio_postgres::Error::code) {
            Some(code) if *code == SqlState::LOCK_NOT_AVAILABLE => Self::Held,
            _ => Self::Refinery(database::in_words(&error)),
        }
    }
}

/// Applies what is missing and answers the names of what was applied. Safe to run from many places
/// at once. The session is left with long timeouts: use it for nothing else.
pub async fn migrate(client: &mut Client) -> Result<Vec<String>, MigrationError> {
    let run = |sql| DatabaseError::during(sql);
    client.batch_execute(NO_TIMEOUTS).await.map_err(run("prepare the migrations"))?;
    while !client
        .query_one(LOCK, &[])
        .await
        .map_err(run("wait for other migrations"))?
        .get::<_, bool>(0)
    {
        tokio::time::sleep(TRY_EVERY).await;
    }
    let applied = apply_and_index(client).await;
    client.batch_execute(UNLOCK).await.map_err(run("release the migrations' lock"))?;
    applied
}

/// Indices that a newer one made superfluous: dropped outside of a migration, since nobody shall wait behind whoever waits
/// for a long reader.
const SUPERFLUOUS: [&str; 2] =
    ["dead_letters_status_dead_at_idx", "dead_letters_campus_id_member_id_idx"];

/// The parts that an index of the log has not got yet: of which day, called what, over what.
const UNINDEXED: &str = "
    SELECT day.relname AS day, parent.relname AS index,
           day.relname || substr(parent.relname, length('webhook_logs') + 1) AS part,
           substring(pg_get_indexdef(parent.oid) FROM ' USING .*') AS definition
    FROM pg_inherits i JOIN pg_class day ON day.oid = i.inhrelid,
         pg_index x JOIN pg_class parent ON parent.oid = x.indexrelid
    WHERE i.inhparent = 'webhook_logs'::regclass AND x.indrelid = 'webhook_logs'::regclass AND NOT x.indisprimary
      AND NOT EXISTS (SELECT FROM pg_inherits part JOIN pg_index own ON own.indexrelid = part.inhrelid
                      WHERE part.inhparent = parent.oid AND own.indrelid = day.oid)
    ORDER BY day.relname DESC, parent.relname";

/// Gives the days of the log their parts while workers write: no migration can, since it is a transaction. What a run
/// before left unfinished is made anew.
async fn index_log_days(client: &Client) -> Result<(), DatabaseError> {
    let failed = || DatabaseError::during("index the days of the log");
    for row in client.query(UNINDEXED, &[]).await.map_err(failed())? {
        let [day, index, part, definition] =
            ["day", "index", "part", "definition"].map(|column| row.get::<_, String>(column));
        for statement in [
            format!("DROP INDEX IF EXISTS {part}"),
            format!("CREATE INDEX CONCURRENTLY {part} ON {day}{definition}"),
            format!("ALTER INDEX {index} ATTACH PARTITION {part}"),
        ] {
            client.batch_execute(&statement).await.map_err(failed())?;
        }
    }
    Ok(())
}

/// Makes the indices of dead letters while workers write. What a run before left unfinished is made anew.
async fn index_letters(client: &Client) -> Result<(), DatabaseError> {
    let failed = || DatabaseError::during("index the dead letters");
    let is_there =
        "SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass($1) AND indisvalid)";
    for (index, definition) in OF_LETTERS {
        let row = client.query_one(is_there, &[&index]).await.map_err(failed())?;
        if row.get::<_, bool>(0) {
            continue;
        }
        for statement in [
            format!("DROP INDEX IF EXISTS {index}"),
            format!("CREATE INDEX CONCURRENTLY {index} ON dead_letters {definition}"),
        ] {
            client.batch_execute(&statement).await.map_err(failed())?;
        }
    }
    Ok(())
}

/// Drops indices that a newer one made superfluous.
async fn drop_superfluous(client: &Client) -> Result<(), DatabaseError> {
    for index in SUPERFLUOUS {
        client
            .batch_execute(&format!("DROP INDEX CONCURRENTLY IF EXISTS {index}"))
            .await
            .map_err(DatabaseError::during("drop an index that is superfluous"))?;
    }
    Ok(())
}

/// How a database's schema stands to this program's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaState {
    /// The migrations that are still to be applied, by name.
    pub missing: Vec<String>,
    /// How many were applied that this program does not know: a newer one did.
    pub unknown: usize,
}

/// Compares the schema with the migrations of this program; changes nothing.
pub async fn schema_state(client: &Client) -> Result<SchemaState, DatabaseError> {
    let failed = || DatabaseError::during("read which migrations were applied");
    let history = client
        .query_one("SELECT to_regclass('refinery_schema_history') IS NOT NULL", &[])
        .await
        .map_err(failed())?;
    let applied: Vec<i32> = if history.get(0) {
        let rows = client
            .query("SELECT version::integer FROM refinery_schema_history", &[])
            .await
            .map_err(failed())?;
        rows.iter().map(|row| row.get(0)).collect()
    } else {
        Vec::new()
    };
    let runner = embedded::migrations::runner();
    let known: Vec<(i64, String)> = runner
        .get_migrations()
        .iter()
        .map(|migration| (i64::from(migration.version()), migration.to_string()))
        .collect();
    let is_applied = |version: i64| applied.iter().any(|applied| i64::from(*applied) == version);
    let is_known = |version: i32| known.iter().any(|(known, _)| *known == i64::from(version));
    Ok(SchemaState {
        unknown: applied.iter().filter(|version| !is_known(**version)).count(),
        missing: known
            .iter()
            .filter(|(version, _)| !is_applied(*version))
            .map(|(_, name)| name.clone())
            .collect(),
    })
}

async fn apply_and_index(client: &mut Client) -> Result<Vec<String>, MigrationError> {
    let applied = apply(client).await?;
    index_log_days(client).await?;
    index_letters(client).await?;
    drop_superfluous(client).await?;
    Ok(applied)
}

async fn apply(client: &mut Client) -> Result<Vec<String>, MigrationError> {
    let report = embedded::migrations::runner().run_async(client).await?;
    crate::make_log_partitions(client).await?;
    Ok(report.applied_migrations().iter().map(ToString::to_string).collect())
}
