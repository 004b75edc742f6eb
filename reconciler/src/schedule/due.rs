//! Which campuses are due.

use chrono::{DateTime, TimeDelta, Utc};
use database::{Client, DatabaseError, Row};
use uuid::Uuid;

use crate::schedule::timetable::{AfterFailure, IntakeGap, PastRun, Timetable, due_since, jitter};

/// A run on demand counts for the night if it succeeded. A campus whose time zone does not exist
/// has no night; housekeeping tells of it.
const RUNS: &str = "
    SELECT c.id, c.timezone, s.scheduled_from, s.reconciliation_time,
           extract(epoch FROM s.reconcile_every)::bigint AS every,
           g.first_at, g.last_at, g.reconciled_at,
           coalesce(array_agg(l.started_at ORDER BY l.id) FILTER (WHERE l.id IS NOT NULL), '{}') AS started,
           coalesce(array_agg(CASE WHEN l.status = 'error' THEN coalesce(l.completed_at, l.started_at) END
                              ORDER BY l.id) FILTER (WHERE l.id IS NOT NULL), '{}') AS failed
    FROM sync_configs s JOIN campuses c ON c.id = s.campus_id
    LEFT JOIN intake_gaps g ON g.campus_id = c.id
    LEFT JOIN sync_logs l ON l.campus_id = c.id AND l.started_at > now() - interval '3 days'
                         AND (l.sync_type = 'reconciliation' OR l.status IN ('success', 'held', 'partial'))
    WHERE s.is_enabled AND s.paused_at IS NULL AND s.reconciliation_enabled AND ($1::uuid IS NULL OR c.id = $1)
    GROUP BY c.id, s.campus_id, g.campus_id";

/// A gateway that could take everything was here a moment ago.
const INTAKE_STANDS: &str = "
    SELECT EXISTS (SELECT FROM instances
                   WHERE program = 'gateway' AND ended_at IS NULL AND seen_at > now() - interval '10 seconds'
                     AND state -> 'ready' = 'true')";

/// Whether campuses wait for their own moment within the first minutes, or are due on the dot, as
/// whoever is started by cron wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spread {
    Jittered,
    Exact,
}

/// Every campus that is synced and not paused, whenever it is due.
pub(crate) async fn all(client: &Client) -> Result<Vec<Uuid>, DatabaseError> {
    let rows = client
        .query(
            "SELECT campus_id FROM sync_configs WHERE is_enabled AND paused_at IS NULL
             ORDER BY campus_id",
            &[],
        )
        .await
        .map_err(DatabaseError::during("read which campuses there are"))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// A campus that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) campus: Uuid,
    pub(crate) since: DateTime<Utc>,
    /// Whether for what it missed, be it for its time as well.
    pub(crate) for_gap: bool,
}

/// The campuses, or that one, that are due at `now`; who has waited longest since it was due, or could be tried
/// again, comes first, so that those whose core is away keep nobody waiting.
pub(crate) async fn campuses(
    client: &Client,
    only: Option<Uuid>,
    spread: Spread,
    now: DateTime<Utc>,
) -> Result<Vec<Due>, DatabaseError> {
    let failed = || DatabaseError::during("read which campuses are due");
    let rows = client.query(RUNS, &[&only]).await.map_err(failed())?;
    let stands = client.query_one(INTAKE_STANDS, &[]).await.map_err(failed())?.get(0);
    let mut due: Vec<Due> =
        rows.iter().filter_map(|row| due_campus(row, spread, stands, now)).collect();
    due.sort_by_key(|due| (due.since, due.campus));
    Ok(due)
}

fn due_campus(row: &Row, spread: Spread, intake_stands: bool, now: DateTime<Utc>) -> Option<Due> {
    let campus: Uuid = row.get("id");
    let timetable = Timetable {
        time: row.get("reconciliation_time"),
        zone: row.get::<_, &str>("timezone").parse().ok()?,
        jitter: match spread {
            Spread::Jittered => jitter(campus),
            Spread::Exact => TimeDelta::zero(),
        },
        every: row.get::<_, Option<i64>>("every").map(TimeDelta::seconds),
        since: row.get("scheduled_from"),
    };
    // Cron, or whoever calls again, is the pause.
    let after_failure = match spread {
        Spread::Jittered => AfterFailure::Pauses,
        Spread::Exact => AfterFailure::AtOnce,
    };
    let started: Vec<DateTime<Utc>> = row.get("started");
    let failed: Vec<Option<DateTime<Utc>>> = row.get("failed");
    let runs: Vec<PastRun> = started
        .into_iter()
        .zip(failed)
        .map(|(started_at, failed_at)| PastRun { started_at, failed_at })
        .collect();
    let moments: Option<(DateTime<Utc>, DateTime<Utc>)> =
        row.get::<_, Option<_>>("first_at").zip(row.get("last_at"));
    let gap = moments.map(|(first_at, last_at)| {
        IntakeGap { first: first_at, last: last_at, reconciled_at: row.get("reconciled_at") }
            .due_at(!intake_stands)
    });
    let gap = gap.filter(|due| *due <= now);
    let since =
        [due_since(&timetable, &runs, after_failure, now), gap].into_iter().flatten().min()?;
    Some(Due { campus, since, for_gap: gap.is_some() })
}
