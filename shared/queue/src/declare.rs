//! Declaring the exchanges and queues of interface §5, by every program the same way. Arguments of a
//! name never change (rule queue-4).

use lapin::{
    Channel, Connection, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};

use crate::{
    channel::open_channel,
    declared,
    error::QueueError,
    topology::{DEAD, EXCHANGE, REJECTIONS, RetryQueue, Topology, UNROUTED, WORK},
};

/// Broker-side crashes of a consumer before a message counts as poison. 3.10 has no limit by
/// default and 4.x has 20: the same number everywhere.
const DELIVERY_LIMIT: i32 = 20;

/// No limit, in the words of both: what is held here belongs to nobody else, and a queue that gave
/// it up after 20 lost connections, as 4.x does by default, would lose it.
const NO_DELIVERY_LIMIT: (&str, AMQPValue) = ("x-delivery-limit", AMQPValue::LongInt(i32::MAX));

/// Refusals waiting for the audit; under attack the rest is dropped, intake goes on.
const REJECTIONS_MAX_LENGTH: i32 = 10_000;

/// Declares what events need, but the delay queues. Repeating it changes nothing.
pub async fn declare(connection: &Connection, topology: Topology) -> Result<(), QueueError> {
    let channel = &open_channel(connection).await?;
    exchange(channel, UNROUTED, ExchangeKind::Fanout, FieldTable::default()).await?;
    queue(channel, UNROUTED, quorum([NO_DELIVERY_LIMIT])).await?;
    bind(channel, UNROUTED, UNROUTED, "").await?;

    let alternate = table([("alternate-exchange", text(UNROUTED))]);
    exchange(channel, EXCHANGE, ExchangeKind::Direct, alternate).await?;
    queue(channel, DEAD, quorum([NO_DELIVERY_LIMIT])).await?;
    bind(channel, DEAD, EXCHANGE, DEAD).await?;

    declare_work(connection, topology).await?;
    bind(channel, WORK, EXCHANGE, WORK).await?;
    // Last: it says that all the others are there, and as they must be.
    declared::mark(channel).await?;
    close(channel).await
}

/// Declares what the audit of refused deliveries needs.
pub async fn declare_rejections(connection: &Connection) -> Result<(), QueueError> {
    let channel = &open_channel(connection).await?;
    exchange(channel, REJECTIONS, ExchangeKind::Fanout, FieldTable::default()).await?;
    let arguments = quorum([
        ("x-max-length", AMQPValue::LongInt(REJECTIONS_MAX_LENGTH)),
        ("x-overflow", text("reject-publish")),
        NO_DELIVERY_LIMIT,
    ]);
    queue(channel, REJECTIONS, arguments).await?;
    bind(channel, REJECTIONS, REJECTIONS, "").await?;
    close(channel).await
}

/// The work queue's length comes from a setting, and a setting may change: the queue that exists
/// then stays as it is, and a policy of the broker can lower its limit. Nothing else may differ.
async fn declare_work(connection: &Connection, topology: Topology) -> Result<(), QueueError> {
    let wanted = i64::try_from(topology.work_max_length).unwrap_or(i64::MAX);
    let differs = match declare_work_of(connection, Limit::Of(wanted)).await {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    let Some(found) = differs.precondition().and_then(other_limit) else {
        return Err(differs);
    };
    // RabbitMQ names the first argument that differs: it may not be the only one.
    declare_work_of(connection, found).await?;
    tracing::warn!(
        queue = WORK,
        ?found,
        wanted,
        "the queue exists with another QUEUE_MAX_LENGTH and is used as it is; \
         a RabbitMQ policy with max-length changes its limit"
    );
    Ok(())
}

/// How many events the work queue holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    None,
    Of(i64),
}

/// Declares the work queue with a limit, or none, on a channel of its own: a refusal closes it.
async fn declare_work_of(connection: &Connection, limit: Limit) -> Result<(), QueueError> {
    let channel = open_channel(connection).await?;
    let mut arguments = at_least_once(quorum([
        ("x-delivery-limit", AMQPValue::LongInt(DELIVERY_LIMIT)),
        ("x-dead-letter-exchange", text(EXCHANGE)),
        ("x-dead-letter-routing-key", text(DEAD)),
    ]));
    if let Limit::Of(max_length) = limit {
        arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(max_length));
    }
    queue(&channel, WORK, arguments).await?;
    close(&channel).await
}

/// The limit of the queue that exists, where RabbitMQ's refusal says that it has another one:
/// "inequivalent arg 'x-max-length' for queue '…' in vhost '…': received the value '10' of type
/// 'long' but current is the value '5' of type 'signedint'", or "but current is none".
fn other_limit(refusal: &str) -> Option<Limit> {
    if !refusal.contains("inequivalent arg 'x-max-length'") {
        return None;
    }
    let (_, current) = refusal.rsplit_once("but current is ")?;
    if current.starts_with("none") {
        return Some(Limit::None);
    }
    let (_, value) = current.split_once("the value '")?;
    let (number, _) = value.split_once('\'')?;
    number.parse().ok().map(Limit::Of)
}

/// Declares the delay queues, from which messages return to the work queue.
pub async fn declare_retries(
    connection: &Connection,
    retries: &[RetryQueue],
) -> Result<(), QueueError> {
    if retries.is_empty() {
        return Ok(());
    }
    let channel = open_channel(connection).await?;
    for retry in retries {
        declare_retry(&channel, *retry).await?;
    }
    close(&channel).await
}

async fn declare_retry(channel: &Channel, retry: RetryQueue) -> Result<(), QueueError> {
    let name = retry.name();
    let delay = i64::try_from(retry.0.as_millis()).unwrap_or(i64::MAX);
    let arguments = quorum([
        ("x-message-ttl", AMQPValue::LongLongInt(delay)),
        ("x-dead-letter-exchange", text(EXCHANGE)),
        ("x-dead-letter-routing-key", text(WORK)),
    ]);
    queue(channel, &name, at_least_once(arguments)).await?;
    bind(channel, &name, EXCHANGE, &name).await
}

/// Arguments of a replicated queue: only quorum queues are on disk before they confirm.
fn quorum<const N: usize>(more: [(&'static str, AMQPValue); N]) -> FieldTable {
    let mut arguments = table(more);
    arguments.insert("x-queue-type".into(), text("quorum"));
    arguments
}

/// A message that leaves by its TTL or delivery limit stays until its next queue has it; that
/// needs `reject-publish`: with `drop-head` it would silently be at most once.
/// <https://www.rabbitmq.com/docs/quorum-queues#dead-lettering>
fn at_least_once(mut arguments: FieldTable) -> FieldTable {
    arguments.insert("x-dead-letter-strategy".into(), text("at-least-once"));
    arguments.insert("x-overflow".into(), text("reject-publish"));
    arguments
}

async fn close(channel: &Channel) -> Result<(), QueueError> {
    channel.close(200, "declared".into()).await.map_err(QueueError::during("close a channel"))
}

async fn exchange(
    channel: &Channel,
    name: &str,
    kind: ExchangeKind,
    arguments: FieldTable,
) -> Result<(), QueueError> {
    let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
    channel
        .exchange_declare(name.into(), kind, options, arguments)
        .await
        .map_err(QueueError::during("declare an exchange"))
}

async fn queue(channel: &Channel, name: &str, arguments: FieldTable) -> Result<(), QueueError> {
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    channel
        .queue_declare(name.into(), options, arguments)
        .await
        .map(drop)
        .map_err(QueueError::during("declare a queue"))
}

async fn bind(channel: &Channel, queue: &str, exchange: &str, key: &str) -> Result<(), QueueError> {
    channel
        .queue_bind(
            queue.into(),
            exchange.into(),
            key.into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await
        .map_err(QueueError::during("bind a queue"))
}

fn table<const N: usize>(entries: [(&'static str, AMQPValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in entries {
        table.insert(ShortString::from(name), value);
    }
    table
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rabbitmq_says_what_limit_there_is() {
        let refusal = |arg: &str, current: &str| {
            format!(
                "PRECONDITION_FAILED - inequivalent arg '{arg}' for queue 'member-events.work' in \
                 vhost 'v': received the value '10' of type 'long' but current is {current}"
            )
        };
        let of = |current: &str| other_limit(&refusal("x-max-length", current));
        assert_eq!(of("the value '5' of type 'signedint'"), Some(Limit::Of(5)));
        assert_eq!(of("none"), Some(Limit::None));
        assert_eq!(of("something else"), None);
        assert_eq!(other_limit(&refusal("x-overflow", "none")), None);
    }
}
