//! One run a campus at a time: an advisory lock that a run's own session holds, so that it is given
//! back whatever becomes of the run.

use database::{Client, DatabaseError};
use uuid::Uuid;

/// The lock's key in SQL, of the campus id in `{}`.
macro_rules! key {
    ($campus:literal) => {
        concat!("hashtextextended('reconciliation of ' || ", $campus, "::text, 0)")
    };
}
pub(crate) use key;

/// Takes the campus's lock; false where somebody else has it.
pub(crate) async fn take(client: &Client, campus: Uuid) -> Result<bool, DatabaseError> {
    let row = client
        .query_one(concat!("SELECT pg_try_advisory_lock(", key!("$1::uuid"), ")"), &[&campus])
        .await
        .map_err(DatabaseError::during("take the campus's lock"))?;
    Ok(row.get(0))
}
