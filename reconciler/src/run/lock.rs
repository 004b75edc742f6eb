//! One run a campus at a time (rule reconciler-10): an advisory lock that a run's own session holds, so that it is given
//! back whatever becomes of the run.

use std::time::{Duration, Instant};

use database::{Client, DatabaseError};
use uuid::Uuid;

/// The lock's key in SQL, of the campus id in `{}`.
macro_rules! key {
    ($campus:literal) => {
        concat!("hashtextextended('reconciliation of ' || ", $campus, "::text, 0)")
    };
}
pub(crate) use key;

/// Whoever was killed a moment ago may hold it for that long still.
const WAIT_FOR_LOCK: Duration = Duration::from_secs(3);
const GIVE_BACK_WITHIN: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Takes the campus's lock, waiting a moment for it; false where somebody else keeps it.
pub(crate) async fn take_or_wait(client: &Client, campus: Uuid) -> Result<bool, DatabaseError> {
    let deadline = Instant::now() + WAIT_FOR_LOCK;
    while !take(client, campus).await? {
        if Instant::now() >= deadline {
            return Ok(false);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(true)
}

/// Gives the lock back. A session that ends does so too, but only when Postgres has noticed, and
/// whoever comes next may be quicker. A statement that is still running is not waited for.
pub(crate) async fn give_back(client: &Client, campus: Uuid) {
    let unlock = concat!("SELECT pg_advisory_unlock(", key!("$1::uuid"), ")");
    tokio::time::timeout(GIVE_BACK_WITHIN, client.query_one(unlock, &[&campus])).await.ok();
}

/// Takes the campus's lock; false where somebody else has it.
pub(crate) async fn take(client: &Client, campus: Uuid) -> Result<bool, DatabaseError> {
    let row = client
        .query_one(concat!("SELECT pg_try_advisory_lock(", key!("$1::uuid"), ")"), &[&campus])
        .await
        .map_err(DatabaseError::during("take the campus's lock"))?;
    Ok(row.get(0))
}
