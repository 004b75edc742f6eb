//! A run's row in `sync_logs`, and what it changed in `sync_changes`.

use std::time::Duration;

use database::{Client, DatabaseError};
use store::{ChangeKind, RunStatus, SyncChange};
use uuid::Uuid;

use crate::{
    error::RunError,
    report::{counters::RunCounters, undecided::Named},
    run::{lock, request::Allowance},
};

/// The held archives that an operator lets through.
#[derive(Debug, Clone)]
pub(crate) struct Permit {
    /// The run that held them.
    pub(crate) run: Uuid,
    pub(crate) archives: u64,
    /// Who gave it.
    pub(crate) by: String,
}

const ABANDONED: &str = "The run ended without a word: its program was stopped, or lost Postgres.";

/// Begins a run's row; the caller holds the campus's lock, so whatever is in progress here has no
/// holder any more.
pub(crate) async fn begin(
    client: &Client,
    campus: Uuid,
    sync_type: &str,
    permit: Option<&Permit>,
) -> Result<Uuid, DatabaseError> {
    let failed = || DatabaseError::during("begin the run's row");
    client
        .execute(
            "UPDATE sync_logs SET status = 'error', error_message = $2, completed_at = now(),
                 duration_seconds = extract(epoch FROM now() - started_at)
             WHERE campus_id = $1 AND status = 'in_progress'",
            &[&campus, &ABANDONED],
        )
        .await
        .map_err(failed())?;
    let archives = permit.map(|permit| i32::try_from(permit.archives).unwrap_or(i32::MAX));
    let row = client
        .query_one(
            "INSERT INTO sync_logs (campus_id, sync_type, status, allowed_archives, allowed_by, allowed_run_id)
             VALUES ($1, $2, 'in_progress', $3, $4, $5) RETURNING id",
            &[
                &campus,
                &sync_type,
                &archives,
                &permit.map(|permit| &permit.by),
                &permit.map(|permit| permit.run),
            ],
        )
        .await
        .map_err(failed())?;
    Ok(row.get(0))
}

/// Ends the rows of runs whose campus nobody holds the lock of: their program is gone.
pub(crate) async fn end_abandoned(client: &Client) -> Result<u64, DatabaseError> {
    client
        .execute(
            concat!(
                "UPDATE sync_logs SET status = 'error', error_message = $1, completed_at = now(),
                     duration_seconds = extract(epoch FROM now() - started_at)
                 WHERE status = 'in_progress' AND pg_try_advisory_xact_lock(",
                lock::key!("campus_id"),
                ")"
            ),
            &[&ABANDONED],
        )
        .await
        .map_err(DatabaseError::during("end the rows of abandoned runs"))
}

/// Forgets which members were changed longer ago than `retention`; the runs themselves stay. Two days are
/// remembered at least: the archive limit counts one.
pub(crate) async fn forget(client: &Client, retention: Duration) -> Result<u64, DatabaseError> {
    client
        .execute(
            "DELETE FROM sync_changes
             WHERE changed_at < now() - greatest(make_interval(secs => $1), interval '2 days')",
            &[&retention.as_secs_f64()],
        )
        .await
        .map_err(DatabaseError::during("forget what runs changed long ago"))
}

/// How many rows of the list the campus's last run asked for at once in the end.
pub(crate) async fn page_rows(client: &Client, campus: Uuid) -> Result<Option<u32>, DatabaseError> {
    let row = client
        .query_opt(
            "SELECT page_rows FROM sync_logs WHERE campus_id = $1 AND page_rows IS NOT NULL
             ORDER BY started_at DESC LIMIT 1",
            &[&campus],
        )
        .await
        .map_err(DatabaseError::during("read how large pages were"))?;
    Ok(row.map(|row| row.get::<_, i32>(0).unsigned_abs()))
}

/// Ends a run's row, and says so beside the campus's configuration.
pub(crate) async fn finish(
    client: &Client,
    run: Uuid,
    campus: Uuid,
    status: RunStatus,
    counters: &RunCounters,
    message: Option<&str>,
) -> Result<(), DatabaseError> {
    let number = |count: u64| i32::try_from(count).unwrap_or(i32::MAX);
    name_undecided(client, run, campus, counters).await?;
    client
        .execute(
            "WITH ended AS (
                 UPDATE sync_logs SET status = $2, members_fetched = $3, members_created = $4,
                     members_updated = $5, members_archived = $6, members_unarchived = $7,
                     members_unchanged = $8, candidates_held = $9, error_message = $10,
                     members_undecided = $12, page_rows = $13, members_linked = $14,
                     completed_at = now(), duration_seconds = extract(epoch FROM now() - started_at)
                 WHERE id = $1 RETURNING campus_id
             )
             UPDATE sync_configs SET last_sync_at = now(), last_sync_status = $2, last_sync_message = $11
             FROM ended WHERE sync_configs.campus_id = ended.campus_id",
            &[
                &run,
                &status.as_str(),
                &number(counters.fetched),
                &number(counters.of(ChangeKind::Created)),
                &number(counters.of(ChangeKind::Updated)),
                &number(counters.of(ChangeKind::Archived)),
                &number(counters.of(ChangeKind::Unarchived)),
                &number(counters.unchanged()),
                &number(counters.held()),
                &message,
                &message.map_or_else(|| counters.summary(), str::to_owned),
                &number(counters.undecided.count()),
                &counters.page_rows.map(|rows| number(rows.into())),
                &number(counters.of(ChangeKind::Linked)),
            ],
        )
        .await
        .map_err(DatabaseError::during("end the run's row"))?;
    Ok(())
}

/// Records who and what is undecided.
async fn name_undecided(
    client: &Client,
    run: Uuid,
    campus: Uuid,
    counters: &RunCounters,
) -> Result<(), DatabaseError> {
    let names: Vec<Named> = counters.undecided.names().collect();
    let changes: Vec<SyncChange<'_>> = names
        .iter()
        .map(|named| SyncChange {
            campus,
            member: &named.member,
            kind: ChangeKind::Undecided,
            reason: Some(&named.reason),
            is_allowed: false,
        })
        .collect();
    store::record_changes(client, Some(run), &changes)
        .await
        .map_err(DatabaseError::during("name the undecided"))?;
    Ok(())
}

/// The permit for exactly those whom the campus's last held run held.
pub(crate) async fn permit(
    client: &Client,
    campus: Uuid,
    allowance: &Allowance,
) -> Result<Permit, RunError> {
    let asked = allowance.archives;
    let row = client
        .query_opt(
            "SELECT id, candidates_held,
                    (SELECT count(*) FROM sync_changes c WHERE c.run_id = l.id AND c.kind = 'held') AS known
             FROM sync_logs l WHERE campus_id = $1 AND status = 'held'
             ORDER BY started_at DESC LIMIT 1",
            &[&campus],
        )
        .await
        .map_err(DatabaseError::during("read the last held run"))?;
    let refuse = |problem: String| RunError::NotAllowed { asked, problem };
    let Some(row) = row else {
        return Err(refuse("no run of this campus was held".to_owned()));
    };
    let held = u64::from(row.get::<_, i32>(1).unsigned_abs());
    if held != asked {
        return Err(refuse(format!("the last held run of this campus held {held}")));
    }
    if row.get::<_, i64>("known").unsigned_abs() != held {
        return Err(refuse(
            "whom that run held is forgotten by now: run once without it".to_owned(),
        ));
    }
    Ok(Permit { run: row.get(0), archives: held, by: allowance.by.clone() })
}
