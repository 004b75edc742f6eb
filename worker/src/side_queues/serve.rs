//! Everything that is neither an event on its way nor a dead letter, on one connection.

use database::Pool;
use queue::{Link, QueueError, QueueWatch, lapin::Connection};
use tokio_util::sync::CancellationToken;

use crate::side_queues::{rejections, unrouted::Unrouted};

/// Serves on one connection until it is lost or `stop`, and counts what waits in the `queues`.
pub(crate) async fn serve(
    connection: Connection,
    link: &Link,
    unrouted: &Unrouted,
    pool: &Pool,
    queues: &QueueWatch,
    stop: &CancellationToken,
) -> Result<(), QueueError> {
    let drains = async {
        let rejections = rejections::drain(&connection, pool, stop);
        tokio::try_join!(rejections, unrouted.drain(&connection, link, stop)).map(drop)
    };
    let result = tokio::select! {
        result = drains => result,
        // Its end at a shutdown must not cut the others' short.
        Err(error) = queues.keep(&connection, stop) => Err(error),
    };
    connection.close(200, "stopped".into()).await.ok();
    result
}
