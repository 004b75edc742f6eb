//! What Postgres knows of the flow: lag, dead letters, runs.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use database::{Client, DatabaseError};
use serde::Serialize;
use uuid::Uuid;

use crate::instances::{Instances, OpenBreaker};

/// Minutes that rates and latencies are about.
pub const WINDOW_MINUTES: i32 = 5;

/// Minutes from its receipt after which an end is late: what the log has an index on.
const LATE_MINUTES: i32 = 5;

/// What was received earlier is of no interest for the flow.
const LOOK_BACK_MINUTES: i32 = 36 * 60;

/// Successes of a campus that are counted, and no more.
const MOST_SUCCESSES: i64 = 100;

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
    /// Its members' events of lately that came to a good end; no more than 100 are counted.
    pub succeeded: i64,
    /// Its circuit breaker, where a worker has opened it.
    pub breaker: Option<OpenBreaker>,
    /// No login to its core is tried before: the last one failed.
    pub login_paused_until: Option<DateTime<Utc>>,
    /// When its webhook secret was made.
    pub webhook_secret_set_at: DateTime<Utc>,
}

/// The last deliveries of all.
pub struct LastMoments {
    /// When the last one was received.
    received_at: Option<DateTime<Utc>>,
    /// When one last came to its end.
    pub processed_at: Option<DateTime<Utc>>,
}

/// Deliveries of a campus that failed, or were put off, and will be tried again. Not those that an operator replays, which are
/// counted as letters: they had come to an end, and are as old as they were then.
#[derive(Debug)]
pub struct Retrying {
    deliveries: i64,
    /// When the oldest was received.
    oldest: DateTime<Utc>,
    /// Why the youngest failed.
    last_error: Option<String>,
}

/// By campus; those without any are left out.
pub type RetryingByCampus = BTreeMap<Uuid, Retrying>;

/// They wait for however long: counted by the index on their status, which has what is asked of each.
const RETRYING: &str = "
    SELECT r.campus_id, r.deliveries, r.oldest,
           (SELECT error FROM webhook_logs l
            WHERE l.received_at = r.newest AND l.campus_id = r.campus_id AND l.status = 'retrying' LIMIT 1) AS last_error
    FROM (SELECT campus_id, count(*) AS deliveries, min(received_at) AS oldest, max(received_at) AS newest
          FROM webhook_logs w
          WHERE status = 'retrying'
            AND NOT EXISTS (SELECT FROM dead_letters d WHERE d.id = w.id AND d.status = 'replaying')
          GROUP BY campus_id) AS r";

/// Since `$1`: what was received, and what came to an end. That was received since `$2`, or came to its end long after its
/// receipt, for which there is an index. The times are parameters, so that only the days that they are in are planned for.
const FLOW: &str = "
    SELECT count(*) FILTER (WHERE received_at > $1) AS received,
           count(*) FILTER (WHERE processed_at > $1 AND status NOT IN ('dead', 'discarded')) AS processed,
           count(*) FILTER (WHERE processed_at > $1 AND status = 'dead') AS dead,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY latency) AS median,
           max(latency) AS slowest
    FROM (SELECT *, CASE WHEN processed_at > $1 AND status IN ('processed', 'filtered', 'stale')
                              -- OFFSET: each letter by its id. Nobody can replay one that soon.
                              AND NOT (processed_at - received_at > interval '1 second'
                                       AND EXISTS (SELECT FROM dead_letters d
                                                   WHERE d.id = w.id AND d.replay_count > 0 OFFSET 0))
                         THEN extract(epoch FROM processed_at - received_at)::float8 END AS latency
          FROM (SELECT id, received_at, processed_at, status FROM webhook_logs
                WHERE received_at > $2 AND status <> 'rejected'
                UNION ALL
                SELECT id, received_at, processed_at, status FROM webhook_logs
                WHERE processed_at - received_at > interval '5 minutes' AND processed_at > $1
                  AND received_at > $3 AND received_at <= $2 AND status <> 'rejected') AS w) AS l";

/// The last of all, of those received since `$1`. What came to an end last was received within five minutes before the newest
/// that has come to one, or is among those with an index.
const LAST: &str = "
    SELECT (SELECT received_at FROM webhook_logs WHERE received_at > $1 AND status <> 'rejected'
            ORDER BY received_at DESC LIMIT 1) AS received,
           greatest((SELECT max(w.processed_at)
                     FROM (SELECT received_at FROM webhook_logs
                           WHERE received_at > $1 AND status <> 'rejected' AND processed_at IS NOT NULL
                           ORDER BY received_at DESC LIMIT 1) AS newest
                     CROSS JOIN LATERAL (
                         SELECT processed_at FROM webhook_logs
                         WHERE received_at > newest.received_at - interval '5 minutes'
                           AND received_at <= newest.received_at AND status <> 'rejected' OFFSET 0) AS w),
                    (SELECT processed_at FROM webhook_logs
                     WHERE processed_at - received_at > interval '5 minutes' AND received_at > $1
                       AND status <> 'rejected'
                     ORDER BY processed_at DESC LIMIT 1)) AS processed";

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

/// The last run of each campus.
const RUNS: &str = "
    SELECT last.*, c.name AS campus_name
    FROM campuses c
    CROSS JOIN LATERAL (SELECT * FROM sync_logs l WHERE l.campus_id = c.id ORDER BY l.started_at DESC LIMIT 1) AS last
    ORDER BY last.started_at DESC";

/// When something is counted from, by our clock: as a parameter, so that Postgres sees which days it is in.
fn minutes_ago(minutes: i32) -> DateTime<Utc> {
    Utc::now() - TimeDelta::minutes(minutes.into())
}

impl Retrying {
    /// Counts them.
    pub async fn load(client: &Client) -> Result<RetryingByCampus, DatabaseError> {
        let rows = client
            .query(RETRYING, &[])
            .await
            .map_err(DatabaseError::during("count what is retrying"))?;
        let retrying = |row: &database::Row| {
            let retrying = Self {
                deliveries: row.get("deliveries"),
                oldest: row.get("oldest"),
                last_error: row.get("last_error"),
            };
            (row.get("campus_id"), retrying)
        };
        Ok(rows.iter().map(retrying).collect())
    }
}

impl LastMoments {
    /// Looks for them.
    pub async fn load(client: &Client) -> Result<Self, DatabaseError> {
        let row = client
            .query_one(LAST, &[&minutes_ago(LOOK_BACK_MINUTES)])
            .await
            .map_err(DatabaseError::during("look for the last delivery"))?;
        Ok(Self { received_at: row.get("received"), processed_at: row.get("processed") })
    }
}

impl Flow {
    /// Measures it.
    pub async fn load(client: &Client, retrying: &RetryingByCampus) -> Result<Self, DatabaseError> {
        let since = minutes_ago(WINDOW_MINUTES);
        let recent = minutes_ago(WINDOW_MINUTES + LATE_MINUTES);
        let oldest = minutes_ago(LOOK_BACK_MINUTES);
        let row = client
            .query_one(FLOW, &[&since, &recent, &oldest])
            .await
            .map_err(DatabaseError::during("measure the flow"))?;
        let last = LastMoments::load(client).await?;
        let rate = |count: i64| {
            f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / f64::from(WINDOW_MINUTES)
        };
        let slowest: Option<f64> = row.get("slowest");
        let oldest_retrying_at = retrying.values().map(|campus| campus.oldest).min();
        let waiting = oldest_retrying_at.map(|oldest| (Utc::now() - oldest).as_seconds_f64());
        Ok(Self {
            received_per_minute: rate(row.get("received")),
            processed_per_minute: rate(row.get("processed")),
            dead_per_minute: rate(row.get("dead")),
            oldest_queued_seconds: None,
            lag_seconds: slowest.into_iter().chain(waiting).reduce(f64::max),
            latency_median_seconds: row.get("median"),
            latency_max_seconds: slowest,
            retrying: retrying.values().map(|campus| campus.deliveries).sum(),
            oldest_retrying_at,
            last_received_at: last.received_at,
            last_processed_at: last.processed_at,
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
        let rows =
            client.query(RUNS, &[]).await.map_err(DatabaseError::during("read the last runs"))?;
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
