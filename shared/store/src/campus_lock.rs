//! Step 0 of the guarded write: the lock on the campuses' configuration. Whoever writes holds it
//! shared until the commit; whoever changes what is synced takes it alone (a trigger does, whoever
//! that is). The claim then compares the version, in a younger snapshot.

use std::collections::HashSet;

use database::{Client, Error, Statement, Transaction};
use uuid::Uuid;

/// Never waits: a change that is not committed for long must not hold up other campuses.
///
/// Nor is any row's lock waited for as long as a session does by default: whoever comes after waits
/// as well. It is set here since it costs no round trip.
const TAKE: &str = "
    WITH lock_limit AS MATERIALIZED (SELECT set_config('lock_timeout', '500ms', true))
    SELECT k.campus_id FROM lock_limit, unnest($1::uuid[]) AS k(campus_id)
    WHERE NOT pg_try_advisory_xact_lock_shared(sync_config_lock(k.campus_id))";

pub(crate) struct CampusLock(Statement);

impl CampusLock {
    pub(crate) async fn prepare(client: &Client) -> Result<Self, Error> {
        Ok(Self(client.prepare(TAKE).await?))
    }

    /// Answers the campuses whose configuration somebody is changing: nothing may be written there.
    pub(crate) async fn take(
        &self,
        transaction: &Transaction<'_>,
        campuses: &HashSet<Uuid>,
    ) -> Result<HashSet<Uuid>, Error> {
        let campuses: Vec<Uuid> = campuses.iter().copied().collect();
        let rows = transaction.query(&self.0, &[&campuses]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}
