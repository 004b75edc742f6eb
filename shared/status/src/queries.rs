//! What Postgres knows of the flow: lag, dead letters, runs.

use chrono::{DateTime, Utc};
use database::{Client, DatabaseError};
use serde::Serialize;
use uuid::Uuid;

use crate::instances::{Instances, OpenBreaker};

/// Minutes that rates and latencies are about.
pub const WINDOW_MINUTES: i32 = 5;

/// Minutes in which refusals, and a campus's failures and successes, are counted.
pub const RECENT_MINUTES: i32 = 30;

/// The flow of events in the last minutes.
#[derive(Debug, Serialize)]
pub struct Flow {
    /// Logged deliveries received in the window, a minute.
    pub received_per_minute: f64,
    /// Deliveries that came to a good end in the window, a minute.
    pub processed_per_minute: f64,
    /// Deliveries that became dead letters in the window, a minute.
    pub dead_per_minute: f64,
    /// Seconds from receipt to the committed row, of what was processed in the window without a replay.
    pub latency_median_seconds: Option<f64>,
    /// The same, of the slowest.
    pub latency_max_seconds: Option<f64>,
    /// The lag: of the slowest of these, or of the oldest that still waits for another attempt, if that is longer.
    pub lag_seconds: Option<f64>,
    /// For how long, at most, the oldest event of the work queue has waited; none where it is empty, or that is not known.
    pub oldest_queued_seconds: Option<f64>,
    /// Deliveries that failed, or were put off, and will be tried again; without replays, which are counted as letters.
    pub retrying: i64,
    /// When the oldest of these was received.
    pub oldest_retrying_at: Option<DateTime<Utc>>,
    /// When the last delivery of all was received.
    pub last_received_at: Option<DateTime<Utc>>,
    /// When a delivery last came to its end.
    pub last_processed_at: Option<DateTime<Utc>>,
}

/// Events that wait for an operator, of one cause.
#[derive(Debug, Serialize)]
pub struct DeadLetters {
    /// One of the closed list of causes.
    pub cause: String,
    /// Open ones.
    pub open: i64,
    /// On their way again.
    pub replaying: i64,
    /// When the oldest of them died.
    pub oldest_dead_at: DateTime<Utc>,
}

/// A reconciliation run; keys of its JSON are the columns of `sync_logs`.
#[derive(Debug, Serialize)]
pub struct Run {
    /// The run.
    pub id: Uuid,
    /// The campus.
    pub campus_id: Uuid,
    /// Its name.
    pub campus_name: String,
    /// `reconciliation` or `manual`.
    pub sync_type: String,
    /// How it ended, or that it is under way.
    pub status: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// How long it took.
    pub duration_seconds: Option<f64>,
    /// Rows of the core's list.
    pub members_fetched: i32,
    /// Members created.
    pub members_created: i32,
    /// Members updated.
    pub members_updated: i32,
    /// Members archived.
    pub members_archived: i32,
    /// Archives that wait for an operator's word.
    pub candidates_held: i32,
    /// Why it failed.
    pub error_message: Option<String>,
}

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
    /// Its members' events of lately that came to a good end.
    pub succeeded: i64,
    /// Its circuit breaker, where a worker has opened it.
    pub breaker: Option<OpenBreaker>,
    /// No login to its core is tried before: the last one failed.
    pub login_paused_until: Option<DateTime<Utc>>,
    /// When its webhook secret was made.
    pub webhook_secret_set_at: DateTime<Utc>,
}

/// What failed, or was put off, waits for however long: it is counted by the index on it. What was received and came to an
/// end lately is looked for among a day and a half of logs. An event that an operator replays is counted as a letter: it had
/// come to an end, and is as old as it was then.
const FLOW: &str = "
    SELECT ended.*, waiting.*, extract(epoch FROM now() - waiting.oldest)::float8 AS waiting_seconds
    FROM (SELECT count(*) FILTER (WHERE received_at > since) AS received,
                 count(*) FILTER (WHERE processed_at > since AND status NOT IN ('dead', 'discarded')) AS processed,
                 count(*) FILTER (WHERE processed_at > since AND status = 'dead') AS dead,
                 percentile_cont(0.5) WITHIN GROUP (ORDER BY latency) AS median,
                 max(latency) AS slowest,
                 max(received_at) AS last_received, max(processed_at) AS last_processed
          FROM (SELECT received_at, processed_at, status, since,
                       CASE WHEN processed_at > since AND status IN ('processed', 'filtered', 'stale')
                                 AND NOT EXISTS (SELECT FROM dead_letters d WHERE d.id = w.id AND d.replay_count > 0)
                            THEN extract(epoch FROM processed_at - received_at)::float8 END AS latency
                FROM webhook_logs w, (SELECT now() - make_interval(mins => $1) AS since) AS past
                WHERE received_at > now() - interval '36 hours' AND status <> 'rejected') AS l) AS ended,
         (SELECT count(*) AS retrying, min(received_at) AS oldest
          FROM webhook_logs w
          WHERE status = 'retrying'
            AND NOT EXISTS (SELECT FROM dead_letters d WHERE d.id = w.id AND d.status = 'replaying')) AS waiting";

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
           coalesce(r.retrying, 0) AS retrying, r.oldest AS oldest_retrying_at,
           coalesce(x.rejected, 0) AS rejected,
           coalesce(e.failing, 0) AS failing, coalesce(e.failing_members, 0) AS failing_members,
           coalesce(e.succeeded, 0) AS succeeded, coalesce(w.error, e.last_error) AS last_failure,
           CASE WHEN t.not_before > now() THEN t.not_before END AS login_paused_until,
           s.webhook_secret_set_at
    FROM sync_configs s JOIN campuses c ON c.id = s.campus_id
    LEFT JOIN core_tokens t ON t.campus_id = c.id
    LEFT JOIN (SELECT campus_id, count(*) AS retrying, min(received_at) AS oldest, max(received_at) AS newest
               FROM webhook_logs w
               WHERE status = 'retrying'
                 AND NOT EXISTS (SELECT FROM dead_letters d WHERE d.id = w.id AND d.status = 'replaying')
               GROUP BY campus_id) r ON r.campus_id = c.id
    LEFT JOIN LATERAL (SELECT error FROM webhook_logs
                       WHERE received_at = r.newest AND campus_id = c.id AND status = 'retrying'
                       LIMIT 1) w ON true
    LEFT JOIN (SELECT campus_id, count(*) AS rejected
               FROM webhook_logs
               WHERE status = 'rejected' AND received_at > now() - make_interval(mins => $1)
               GROUP BY campus_id) x ON x.campus_id = c.id
    LEFT JOIN (SELECT campus_id,
                      count(*) FILTER (WHERE status IN ('retrying', 'dead')) AS failing,
                      count(DISTINCT member_id) FILTER (WHERE status IN ('retrying', 'dead')) AS failing_members,
                      count(*) FILTER (WHERE status IN ('processed', 'filtered', 'stale')) AS succeeded,
                      (array_agg(error ORDER BY received_at DESC) FILTER (WHERE status IN ('retrying', 'dead')))[1]
                          AS last_error
               FROM webhook_logs
               WHERE received_at > now() - make_interval(mins => $1) AND member_id IS NOT NULL
               GROUP BY campus_id) e ON e.campus_id = c.id
    ORDER BY c.name, c.id";

impl Flow {
    /// Reads them.
    pub async fn load(client: &Client) -> Result<Self, DatabaseError> {
        let row = client
            .query_one(FLOW, &[&WINDOW_MINUTES])
            .await
            .map_err(DatabaseError::during("measure the flow"))?;
        let rate = |count: i64| {
            f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / f64::from(WINDOW_MINUTES)
        };
        Ok(Self {
            received_per_minute: rate(row.get("received")),
            processed_per_minute: rate(row.get("processed")),
            dead_per_minute: rate(row.get("dead")),
            oldest_queued_seconds: None,
            lag_seconds: row
                .get::<_, Option<f64>>("slowest")
                .into_iter()
                .chain(row.get::<_, Option<f64>>("waiting_seconds"))
                .reduce(f64::max),
            latency_median_seconds: row.get("median"),
            latency_max_seconds: row.get("slowest"),
            retrying: row.get("retrying"),
            oldest_retrying_at: row.get("oldest"),
            last_received_at: row.get("last_received"),
            last_processed_at: row.get("last_processed"),
        })
    }
}

impl DeadLetters {
    /// Reads them.
    pub async fn load(client: &Client) -> Result<Vec<Self>, DatabaseError> {
        let rows = client
            .query(
                "SELECT cause, min(dead_at) AS oldest,
                        count(*) FILTER (WHERE status = 'open') AS open,
                        count(*) FILTER (WHERE status = 'replaying') AS replaying
                 FROM dead_letters WHERE status IN ('open', 'replaying')
                 GROUP BY cause ORDER BY count(*) DESC, cause",
                &[],
            )
            .await
            .map_err(DatabaseError::during("count the dead letters"))?;
        let letters = |row: &database::Row| Self {
            cause: row.get("cause"),
            open: row.get("open"),
            replaying: row.get("replaying"),
            oldest_dead_at: row.get("oldest"),
        };
        Ok(rows.iter().map(letters).collect())
    }
}

impl Run {
    /// The last run of each campus, the newest first.
    pub async fn load(client: &Client) -> Result<Vec<Self>, DatabaseError> {
        let rows = client
            .query(
                "SELECT * FROM (
                     SELECT DISTINCT ON (l.campus_id) l.*, c.name AS campus_name
                     FROM sync_logs l JOIN campuses c ON c.id = l.campus_id
                     ORDER BY l.campus_id, l.started_at DESC) AS last
                 ORDER BY started_at DESC",
                &[],
            )
            .await
            .map_err(DatabaseError::during("read the last runs"))?;
        let run = |row: &database::Row| Self {
            id: row.get("id"),
            campus_id: row.get("campus_id"),
            campus_name: row.get("campus_name"),
            sync_type: row.get("sync_type"),
            status: row.get("status"),
            started_at: row.get("started_at"),
            duration_seconds: row.get("duration_seconds"),
            members_fetched: row.get("members_fetched"),
            members_created: row.get("members_created"),
            members_updated: row.get("members_updated"),
            members_archived: row.get("members_archived"),
            candidates_held: row.get("candidates_held"),
            error_message: row.get("error_message"),
        };
        Ok(rows.iter().map(run).collect())
    }
}

impl CampusSync {
    /// Every campus that is synced, by name.
    pub async fn load(client: &Client, instances: &Instances) -> Result<Vec<Self>, DatabaseError> {
        let rows = client
            .query(CAMPUSES, &[&RECENT_MINUTES])
            .await
            .map_err(DatabaseError::during("read the campuses"))?;
        let campus = |row: &database::Row| Self {
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
            retrying: row.get("retrying"),
            oldest_retrying_at: row.get("oldest_retrying_at"),
            last_error: row.get("last_failure"),
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
