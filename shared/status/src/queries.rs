//! What Postgres knows of the flow: lag, dead letters, runs.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use database::{Client, DatabaseError};
use serde::Serialize;
use uuid::Uuid;

/// Minutes that rates and latencies are about.
pub const WINDOW_MINUTES: i32 = 5;

/// Minutes from its receipt after which an end is late: what the log has an index on.
const LATE_MINUTES: i32 = 5;

/// What was received earlier is of no interest for the flow.
const LOOK_BACK_MINUTES: i32 = 36 * 60;

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
    pub(crate) deliveries: i64,
    /// When the oldest was received.
    pub(crate) oldest: DateTime<Utc>,
    /// Why the youngest failed.
    pub(crate) last_error: Option<String>,
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

/// The last run of each campus.
const RUNS: &str = "
    SELECT last.*, c.name AS campus_name
    FROM campuses c
    CROSS JOIN LATERAL (SELECT * FROM sync_logs l WHERE l.campus_id = c.id ORDER BY l.started_at DESC LIMIT 1) AS last
    ORDER BY last.started_at DESC";

/// When something is counted from, by our clock: as a parameter, so that Postgres sees which days it is in.
pub(crate) fn minutes_ago(minutes: i32) -> DateTime<Utc> {
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
