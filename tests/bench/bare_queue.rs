//! The queue of the reference program, and how it is emptied between two turns.

use lapin::{
    Channel,
    options::{QueueDeclareOptions, QueuePurgeOptions},
    types::{AMQPValue, FieldTable},
};

const WORK: &str = "member-events.work";
/// The reference's queue; like the work queue but for its way to the dead letters.
pub(crate) const BARE: &str = "bench.bare";

pub(crate) async fn declare(channel: &Channel) {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(10_000_000));
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(BARE.into(), options, arguments).await.unwrap();
}

/// Nobody consumes: what one turn left is not to slow down the next.
pub(crate) async fn purge(channel: &Channel) {
    for queue in [WORK, BARE] {
        channel.queue_purge(queue.into(), QueuePurgeOptions::default()).await.unwrap();
    }
}
