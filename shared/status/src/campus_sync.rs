//! How each campus is, as far as Postgres and the programs know.

use chrono::{DateTime, Utc};
use database::{Client, DatabaseError};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    instances::{Instances, OpenBreaker},
    queries::{RetryingByCampus, minutes_ago},
};

/// Successes of a campus that are counted, and no more.
const MOST_SUCCESSES: i64 = 100;

/// Minutes in which refusals, and a campus's failures and successes, are counted.
pub const RECENT_MINUTES: i32 = 30;

/// How a campus is, as far as Postgres knows.
#[derive(Debug, Serialize)]
pub struct CampusSync {
    /// The campus.
    pub campus_id: Uuid,
    /// Its name.
    pub name: String,
    /// Whether it is synced.
    pub is_enabled: bool,
    /// Whether it is reconciled each night.
    pub reconciliation_enabled: bool,
    /// Since when it is paused: its events wait, and its nights are skipped.
    pub paused_at: Option<DateTime<Utc>>,
    /// When a run last ended.
    pub last_sync_at: Option<DateTime<Utc>>,
    /// How that one ended.
    pub last_sync_status: Option<String>,
    /// When it was last known to equal its core, or since when there is the campus.
    pub equal_at: DateTime<Utc>,
    /// Archives that wait for an operator's word.
    pub candidates_held: i32,
    /// Members and rows of the core's list that the last run could not decide about.
    pub members_undecided: i32,
    /// Its deliveries that failed, or were put off, and will be tried again; without replays.
    pub retrying: i64,
    /// When the oldest of these was received.
    pub oldest_retrying_at: Option<DateTime<Utc>>,
    /// Why the youngest of these failed, or of those that died lately.
    pub last_error: Option<String>,
    /// Its webhooks that the gateway refused lately.
    pub rejected: i64,
    /// Its members' events of lately that were received and are neither processed nor given up.
    pub failing: i64,
    /// Members that these are about.
    pub failing_members: i64,
    /// Its members' events of lately that came to a good end; no more than 100 are counted.
    pub succeeded: i64,
    /// Its circuit breaker, where a worker has opened it.
    pub breaker: Option<OpenBreaker>,
    /// No login to its core is tried before: the last one failed.
    pub login_paused_until: Option<DateTime<Utc>>,
    /// When its webhook secret was made.
    pub webhook_secret_set_at: DateTime<Utc>,
}

/// Successes are counted until it is clear that there are some.
const CAMPUSES: &str = "
    SELECT c.id, c.name, s.is_enabled, s.reconciliation_enabled, s.paused_at, s.last_sync_at, s.last_sync_status,
           coalesce((SELECT completed_at FROM sync_logs l WHERE l.campus_id = c.id AND l.status = 'success'
                     ORDER BY started_at DESC LIMIT 1), c.created_at) AS equal_at,
           coalesce((SELECT candidates_held FROM sync_logs l
                     WHERE l.campus_id = c.id AND l.status IN ('success', 'held', 'partial')
                     ORDER BY started_at DESC LIMIT 1), 0) AS candidates_held,
           coalesce((SELECT members_undecided FROM sync_logs l
                     WHERE l.campus_id = c.id
                       AND (l.status IN ('success', 'held', 'partial') OR l.members_undecided > 0)
                     ORDER BY started_at DESC LIMIT 1), 0) AS members_undecided,
           coalesce(x.rejected, 0) AS rejected,
           coalesce(f.failing, 0) AS failing, coalesce(f.failing_members, 0) AS failing_members, f.last_error,
           e.succeeded,
           CASE WHEN t.not_before > now() THEN t.not_before END AS login_paused_until,
           s.webhook_secret_set_at
    FROM sync_configs s JOIN campuses c ON c.id = s.campus_id
    LEFT JOIN core_tokens t ON t.campus_id = c.id
    LEFT JOIN (SELECT campus_id, count(*) AS rejected
               FROM webhook_logs WHERE status = 'rejected' AND received_at > $1
               GROUP BY campus_id) x ON x.campus_id = c.id
    LEFT JOIN (SELECT campus_id, count(*) AS failing, count(DISTINCT member_id) AS failing_members,
                      (array_agg(error ORDER BY received_at DESC))[1] AS last_error
               FROM webhook_logs
               WHERE status IN ('retrying', 'dead') AND received_at > $1 AND member_id IS NOT NULL
               GROUP BY campus_id) f ON f.campus_id = c.id
    CROSS JOIN LATERAL (
        SELECT count(*) AS succeeded
        FROM (SELECT FROM webhook_logs l
              WHERE l.campus_id = c.id AND l.received_at > $1 AND l.member_id IS NOT NULL
                AND l.status IN ('processed', 'filtered', 'stale')
              ORDER BY l.received_at DESC LIMIT $2) AS found) AS e
    ORDER BY c.name, c.id";

impl CampusSync {
    /// Every campus that is synced, by name.
    pub async fn load(
        client: &Client,
        instances: &Instances,
        retrying: &RetryingByCampus,
    ) -> Result<Vec<Self>, DatabaseError> {
        let rows = client
            .query(CAMPUSES, &[&minutes_ago(RECENT_MINUTES), &MOST_SUCCESSES])
            .await
            .map_err(DatabaseError::during("read the campuses"))?;
        let of = |row: &database::Row| retrying.get(&row.get::<_, Uuid>("id"));
        let campus = |row: &database::Row| Self {
            retrying: of(row).map_or(0, |campus| campus.deliveries),
            oldest_retrying_at: of(row).map(|campus| campus.oldest),
            last_error: of(row)
                .and_then(|campus| campus.last_error.clone())
                .or_else(|| row.get("last_error")),
            campus_id: row.get("id"),
            name: row.get("name"),
            is_enabled: row.get("is_enabled"),
            reconciliation_enabled: row.get("reconciliation_enabled"),
            paused_at: row.get("paused_at"),
            last_sync_at: row.get("last_sync_at"),
            last_sync_status: row.get("last_sync_status"),
            equal_at: row.get("equal_at"),
            candidates_held: row.get("candidates_held"),
            members_undecided: row.get("members_undecided"),
            rejected: row.get("rejected"),
            failing: row.get("failing"),
            failing_members: row.get("failing_members"),
            succeeded: row.get("succeeded"),
            breaker: instances.breakers.get(&row.get("id")).cloned(),
            login_paused_until: row.get("login_paused_until"),
            webhook_secret_set_at: row.get("webhook_secret_set_at"),
        };
        Ok(rows.iter().map(campus).collect())
    }
}
