//! The audit of refused deliveries: from `webhook-rejections` into `webhook_logs`.

use std::time::Duration;

use database::{DatabaseError, Fault, Pool, answered};
use event::Rejection;
use queue::{
    QueueError, REJECTIONS, ReceivedHeaders,
    lapin::{Connection, message::Delivery},
};
use runtime::{FailureLog, Trace};
use store::rejections;
use tokio_util::sync::CancellationToken;

use crate::side_queues::consumer::consume_batches;

const PREFETCH: u16 = 256;
const POSTGRES_PAUSE: Duration = Duration::from_secs(1);

/// Records what gateways refused, on one connection until it is lost or `stop`.
pub(crate) async fn drain(
    connection: &Connection,
    pool: &Pool,
    stop: &CancellationToken,
) -> Result<(), QueueError> {
    consume_batches(connection, REJECTIONS, PREFETCH, stop, async |batch| {
        // What cannot be read was an audit and no event: nothing is lost with it but itself.
        let (refused, traces): (Vec<Rejection>, Vec<Trace>) = batch.iter().filter_map(read).unzip();
        let ids: Vec<String> = traces.iter().map(|trace| trace.id().to_string()).collect();
        record(pool, &refused, &ids).await;
        Ok(batch)
    })
    .await
}

fn read(delivery: &Delivery) -> Option<(Rejection, Trace)> {
    let headers = ReceivedHeaders::read(&delivery.properties);
    let trace = queue::process(delivery, &headers, REJECTIONS);
    Rejection::decode(&delivery.data)
        .inspect_err(|error| {
            let trace_id = trace.id();
            tracing::warn!(%error, %trace_id, "a refused delivery cannot be read");
        })
        .ok()
        .map(|rejection| (rejection, trace))
}

/// Records the batch, however long Postgres takes to come back.
async fn record(pool: &Pool, refused: &[Rejection], traces: &[String]) {
    let mut failures = FailureLog::default();
    while let Err(error) = answered(try_record(pool, refused, traces)).await {
        if error.fault() == Fault::Row {
            tracing::error!(
                %error,
                refused = refused.len(),
                "Postgres takes no audit of refused deliveries"
            );
            return;
        }
        if failures.is_worth_a_line(&error.to_string()) {
            tracing::warn!(%error, "the audit of refused deliveries waits for Postgres");
        }
        tokio::time::sleep(POSTGRES_PAUSE).await;
    }
}

async fn try_record(
    pool: &Pool,
    refused: &[Rejection],
    traces: &[String],
) -> Result<(), DatabaseError> {
    rejections::record(&*pool.get().await?, refused, traces).await
}
