//! What waits behind the gateway, for the metrics: somebody must see it when no worker runs.

use queue::{
    AmqpConfig, Broker, DEAD, Declarations, Link, QueueError, QueueWatch, REJECTIONS, Topology,
    UNROUTED, WORK, lapin::Connection,
};
use runtime::{Health, metrics::observe};
use tokio_util::sync::CancellationToken;

/// The queues that a gateway counts.
pub(crate) fn queues() -> QueueWatch {
    QueueWatch::new([WORK, DEAD, UNROUTED, REJECTIONS].map(str::to_owned))
}

/// Counts the queues until `stop`, on a connection of its own.
pub(crate) async fn watch(
    amqp: AmqpConfig,
    topology: Topology,
    watch: QueueWatch,
    stop: CancellationToken,
) {
    let limit = f64::from(u32::try_from(topology.work_max_length).unwrap_or(u32::MAX));
    observe(
        "gateway_work_queue_limit_messages",
        "Events that the work queue holds before webhooks are answered 503",
        move || Some(limit),
    );
    let link = Link {
        broker: Broker::new(amqp, "gateway depths"),
        // A queue that is not there yet would be an error of the connection's at each start.
        declarations: Declarations::of_events(topology).and_rejections(),
        // Of a health that nobody asks: a gateway that cannot count can still publish.
        check: Health::default().check("rabbitmq"),
    };
    link.keep(&stop, |connection| count(connection, &watch, &stop)).await;
}

async fn count(
    connection: Connection,
    watch: &QueueWatch,
    stop: &CancellationToken,
) -> Result<(), QueueError> {
    let counted = watch.keep(&connection, stop).await;
    connection.close(200, "stopped".into()).await.ok();
    counted
}
