//! Forgetting operations that ended long ago.

use std::time::Duration;

use database::{Client, DatabaseError};

/// Deletes the operations that ended longer ago than `retention`, as long as the log is kept. Answers how many.
///
/// # Errors
///
/// Where Postgres does not do it.
pub async fn forget(client: &Client, retention: Duration) -> Result<u64, DatabaseError> {
    client
        .execute(
            "DELETE FROM operations WHERE ended_at < now() - make_interval(secs => $1)",
            &[&retention.as_secs_f64()],
        )
        .await
        .map_err(DatabaseError::during("forget operations that ended long ago"))
}
