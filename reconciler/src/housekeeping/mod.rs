//! One pass of housekeeping.

pub(crate) mod ages;

use std::time::Instant;

use chrono::Utc;
use database::{Client, DatabaseError};

use crate::{
    config::Retention,
    report::{metrics::Metrics, sync_log},
};

/// Makes the days of `webhook_logs` ahead, drops old ones, forgets what runs changed, which dead
/// letters and operations came to an end so long ago, old entries of the audit and which programs are gone, ends the rows of runs
/// whose program
/// is gone, and brings ages up to date. Each is tried whatever became of the others; the first error is
/// answered. Otherwise how many days of the log wait for somebody who reads it.
pub(crate) async fn pass(
    client: &Client,
    retention: Retention,
    metrics: &Metrics,
) -> Result<i32, DatabaseError> {
    let begun = Instant::now();
    let made = store::make_log_partitions(client).await;
    let dropped = store::drop_log_partitions(client, retention.log).await;
    let waiting = store::waiting_log_partitions(client, retention.log).await;
    let forgotten = sync_log::forget(client, retention.log).await;
    let letters = store::dead_letters::forget(client, retention.log).await;
    let entries = store::audit::forget(client, retention.audit).await;
    let told = store::notifications::forget(client, retention.log).await;
    let operations = store::operations::forget(client, retention.log).await;
    let abandoned = sync_log::end_abandoned(client).await;
    let tidied = instances::tidy(client).await;
    let aged = ages::bring_up_to_date(client, Utc::now()).await;
    let (made, dropped, aged) = (made?, dropped?, aged?);
    let (waiting, letters, abandoned) = (waiting?, letters?, abandoned?);
    let entries = entries.map_err(DatabaseError::during("forget old entries of the audit"))?;
    forgotten?;
    told?;
    let operations = operations?;
    tidied?;
    metrics.passed(made, dropped, waiting, &aged, begun.elapsed());
    if waiting > 0 {
        tracing::info!(
            days = waiting,
            "days of webhook_logs wait to be made or dropped: somebody reads the table for long"
        );
    }
    tracing::info!(
        days_made = made,
        days_dropped = dropped,
        letters_forgotten = letters,
        audit_entries_forgotten = entries,
        operations_forgotten = operations,
        ages_updated = aged.updated,
        runs_abandoned = abandoned,
        campuses = aged.campuses,
        "housekeeping finished"
    );
    Ok(waiting)
}
