//! Forgetting letters that came to an end long ago.

use std::time::Duration;

use database::{Client, DatabaseError};

/// Deletes the letters that are resolved or discarded and were last touched longer ago than `retention`:
/// as long as the log of their deliveries. Answers how many.
///
/// An open one stays however old it is: it waits for somebody, and is all that is left of its event.
pub async fn forget(client: &Client, retention: Duration) -> Result<u64, DatabaseError> {
    client
        .execute(
            "DELETE FROM dead_letters
             WHERE status IN ('resolved', 'discarded')
                 AND greatest(dead_at, replayed_at, resolved_at, discarded_at) < now() - make_interval(secs => $1)",
            &[&retention.as_secs_f64()],
        )
        .await
        .map_err(DatabaseError::during("forget dead letters that came to an end long ago"))
}
