//! Days of `webhook_logs`: made ahead, dropped after retention.

use std::time::Duration;

use chrono::{Days, NaiveDate, TimeDelta, Utc};
use database::{Client, DatabaseError};

/// Days kept ready ahead: a reconciler that is away for a week makes no row fall into the default
/// partition.
const DAYS_AHEAD: u64 = 7;

/// Makes the partitions of yesterday to a week from now, as far as nobody reads for long; answers how
/// many were made.
pub async fn make_log_partitions(client: &Client) -> Result<i32, DatabaseError> {
    let (first, last) = kept_ready();
    count(client, "SELECT make_webhook_log_partitions($1, $2)", &[&first, &last]).await
}

/// Drops the days that ended more than `retention` ago, as far as nobody reads for long; answers how
/// many partitions went.
pub async fn drop_log_partitions(
    client: &Client,
    retention: Duration,
) -> Result<i32, DatabaseError> {
    count(client, "SELECT drop_webhook_log_partitions($1)", &[&oldest_kept(retention)]).await
}

/// How many days are still to be made or dropped: somebody reads the log for long.
pub async fn waiting_log_partitions(
    client: &Client,
    retention: Duration,
) -> Result<i32, DatabaseError> {
    let (first, last) = kept_ready();
    let oldest = oldest_kept(retention);
    count(client, "SELECT waiting_webhook_log_partitions($1, $2, $3)", &[&first, &last, &oldest])
        .await
}

fn kept_ready() -> (NaiveDate, NaiveDate) {
    let today = Utc::now().date_naive();
    let first = today.checked_sub_days(Days::new(1)).unwrap_or(today);
    let last = today.checked_add_days(Days::new(DAYS_AHEAD)).unwrap_or(today);
    (first, last)
}

fn oldest_kept(retention: Duration) -> NaiveDate {
    let oldest = TimeDelta::from_std(retention)
        .ok()
        .and_then(|age| Utc::now().checked_sub_signed(age))
        .map_or(NaiveDate::MIN, |moment| moment.date_naive());
    // Postgres's calendar begins later than chrono's.
    oldest.max(NaiveDate::from_ymd_opt(1, 1, 1).unwrap_or_default())
}

async fn count(
    client: &Client,
    sql: &str,
    parameters: &[&(dyn database::types::ToSql + Sync)],
) -> Result<i32, DatabaseError> {
    let row = client
        .query_one(sql, parameters)
        .await
        .map_err(DatabaseError::during("keep the days of webhook_logs"))?;
    Ok(row.get(0))
}
