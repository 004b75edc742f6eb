//! One pass of housekeeping.

use std::time::{Duration, Instant};

use chrono::Utc;
use database::{Client, DatabaseError};

use crate::{ages, metrics::Metrics};

/// Makes the days of `webhook_logs` ahead, drops old ones, and brings ages up to date. Each of the
/// three is tried whatever became of the others; the first error is answered.
pub(crate) async fn pass(
    client: &Client,
    retention: Duration,
    metrics: &Metrics,
) -> Result<(), DatabaseError> {
    let begun = Instant::now();
    let made = store::make_log_partitions(client).await;
    let dropped = store::drop_log_partitions(client, retention).await;
    let aged = ages::bring_up_to_date(client, Utc::now()).await;
    let (made, dropped, aged) = (made?, dropped?, aged?);
    metrics.passed(made, dropped, &aged, begun.elapsed());
    tracing::info!(
        days_made = made,
        days_dropped = dropped,
        ages_updated = aged.updated,
        campuses = aged.campuses,
        "kept house"
    );
    Ok(())
}
