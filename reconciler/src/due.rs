//! Which campuses are due.

use chrono::{DateTime, TimeDelta, Utc};
use database::{Client, DatabaseError};
use uuid::Uuid;

use crate::schedule::{PastRun, Timetable, is_due, jitter};

/// A run on demand counts for the night if it succeeded. A campus whose time zone does not exist
/// has no night; housekeeping tells of it.
const RUNS: &str = "
    SELECT c.id, c.timezone, c.created_at, s.reconciliation_time,
           coalesce(array_agg(l.started_at ORDER BY l.id) FILTER (WHERE l.id IS NOT NULL), '{}') AS started,
           coalesce(array_agg(CASE WHEN l.status = 'error' THEN coalesce(l.completed_at, l.started_at) END
                              ORDER BY l.id) FILTER (WHERE l.id IS NOT NULL), '{}') AS failed
    FROM sync_configs s JOIN campuses c ON c.id = s.campus_id
    LEFT JOIN sync_logs l ON l.campus_id = c.id AND l.started_at > now() - interval '3 days'
                         AND (l.sync_type = 'reconciliation' OR l.status IN ('success', 'held'))
    WHERE s.is_enabled AND s.reconciliation_enabled AND ($1::uuid IS NULL OR c.id = $1)
    GROUP BY c.id, c.timezone, c.created_at, s.reconciliation_time
    ORDER BY c.id";

/// Whether campuses wait for their own moment within the first minutes, or are due on the dot, as
/// whoever is started by cron wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spread {
    Jittered,
    OnTheDot,
}

/// The campuses, or that one, that are due at `now`.
pub(crate) async fn campuses(
    client: &Client,
    only: Option<Uuid>,
    spread: Spread,
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>, DatabaseError> {
    let rows = client
        .query(RUNS, &[&only])
        .await
        .map_err(DatabaseError::during("read which campuses are due"))?;
    let due = rows.iter().filter_map(|row| {
        let id: Uuid = row.get("id");
        let timetable = Timetable {
            time: row.get("reconciliation_time"),
            zone: row.get::<_, &str>("timezone").parse().ok()?,
            jitter: match spread {
                Spread::Jittered => jitter(id),
                Spread::OnTheDot => TimeDelta::zero(),
            },
        };
        let started: Vec<DateTime<Utc>> = row.get("started");
        let failed: Vec<Option<DateTime<Utc>>> = row.get("failed");
        let runs: Vec<PastRun> = started
            .into_iter()
            .zip(failed)
            .map(|(started_at, failed_at)| PastRun { started_at, failed_at })
            .collect();
        is_due(&timetable, row.get("created_at"), &runs, now).then_some(id)
    });
    Ok(due.collect())
}
