//! What the gateways could not take, as far as a run is concerned with it (rule reconciler-14).

use database::{Client, DatabaseError};
use uuid::Uuid;

/// A run begins for what the campus missed: the next one for that comes no sooner than a while after.
pub(crate) async fn begin(client: &Client, campus: Uuid) -> Result<(), DatabaseError> {
    client
        .execute("UPDATE intake_gaps SET reconciled_at = now() WHERE campus_id = $1", &[&campus])
        .await
        .map_err(DatabaseError::during("begin to reconcile what was not taken"))?;
    Ok(())
}

/// Whatever was missed before the run began is found by now. What was missed since waits for the next:
/// the row that it changed may have been read before.
pub(crate) async fn close(client: &Client, campus: Uuid, run: Uuid) -> Result<(), DatabaseError> {
    client
        .execute(
            "UPDATE intake_gaps g SET
                 first_at = CASE WHEN g.last_at >= l.started_at THEN greatest(g.first_at, l.started_at) END,
                 last_at = CASE WHEN g.last_at >= l.started_at THEN g.last_at END,
                 refused = CASE WHEN g.last_at >= l.started_at THEN g.refused ELSE 0 END
             FROM sync_logs l WHERE l.id = $2 AND g.campus_id = $1 AND g.first_at IS NOT NULL",
            &[&campus, &run],
        )
        .await
        .map_err(DatabaseError::during("end what was not taken"))?;
    Ok(())
}
