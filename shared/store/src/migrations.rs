//! The schema, applied in order and one program at a time.

use database::{Client, DatabaseError};

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// Serialises migrations: refinery takes no lock of its own, and most of many concurrent runs fail.
const LOCK: &str = "SELECT pg_advisory_lock(hashtext('faithtracker member sync migrations'))";
const UNLOCK: &str = "SELECT pg_advisory_unlock(hashtext('faithtracker member sync migrations'))";

/// A migration can take longer than any statement of daily work, and waits for its turn.
const PATIENCE: &str = "SET statement_timeout = 0; SET lock_timeout = 0";

/// The schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// A statement around the migrations failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A migration failed; the ones before it stay applied.
    #[error("cannot apply the migrations: {0}")]
    Refinery(#[from] refinery::Error),
}

/// Applies what is missing and answers the names of what was applied. Safe to run from many places
/// at once. The session is left with long timeouts: use it for nothing else.
pub async fn migrate(client: &mut Client) -> Result<Vec<String>, MigrationError> {
    let run = |sql| DatabaseError::during(sql);
    client.batch_execute(PATIENCE).await.map_err(run("prepare the migrations"))?;
    client.batch_execute(LOCK).await.map_err(run("wait for other migrations"))?;
    let applied = apply(client).await;
    client.batch_execute(UNLOCK).await.map_err(run("release the migrations' lock"))?;
    applied
}

async fn apply(client: &mut Client) -> Result<Vec<String>, MigrationError> {
    let report = embedded::migrations::runner().run_async(client).await?;
    crate::make_log_partitions(client).await?;
    Ok(report.applied_migrations().iter().map(ToString::to_string).collect())
}
