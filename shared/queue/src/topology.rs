//! The exchange and queues of CONTRACT §5, declared by every program the same way.
//!
//! Arguments of a name never change: RabbitMQ refuses a second declaration that differs. New
//! arguments need a new name.

use std::time::Duration;

use lapin::{
    Channel, Connection, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};
use runtime::{SettingError, Settings, format_duration, variables};

use crate::{QueueError, connection::open_channel};

/// The exchange that every event is published to.
pub const EXCHANGE: &str = "member-events";
/// Events that wait for a worker.
pub const WORK: &str = "member-events.work";
/// Events that no attempt could finish; the worker's collector moves them to Postgres.
pub const DEAD: &str = "member-events.dead";
/// Events that found no queue, kept rather than acked away; also the exchange that leads there.
pub const UNROUTED: &str = "member-events.unrouted";
/// The audit of refused deliveries; also the exchange that leads there.
pub const REJECTIONS: &str = "webhook-rejections";

/// Broker-side crashes of a consumer before a message counts as poison. 3.10 has no limit by
/// default and 4.x has 20: the same number everywhere.
const DELIVERY_LIMIT: i32 = 20;

/// No limit, in the words of both: what is held here belongs to nobody else, and a queue that gave
/// it up after 20 lost connections, as 4.x does by default, would lose it.
const NO_DELIVERY_LIMIT: (&str, AMQPValue) = ("x-delivery-limit", AMQPValue::LongInt(i32::MAX));

/// Refusals waiting for the audit; under attack the rest is dropped, intake goes on.
const REJECTIONS_MAX_LENGTH: i32 = 10_000;

/// Where a message goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route {
    /// To the workers.
    Work,
    /// To the workers, after a delay.
    Retry(Duration),
    /// To the dead letters.
    Dead,
    /// To the audit of refused deliveries.
    Rejections,
}

impl Route {
    /// The exchange to publish to.
    pub fn exchange(&self) -> &'static str {
        match self {
            Self::Work | Self::Retry(_) | Self::Dead => EXCHANGE,
            Self::Rejections => REJECTIONS,
        }
    }

    /// The routing key, which is the queue's name.
    pub fn key(&self) -> String {
        match self {
            Self::Work => WORK.to_owned(),
            Self::Retry(delay) => RetryQueue(*delay).name(),
            Self::Dead => DEAD.to_owned(),
            Self::Rejections => REJECTIONS.to_owned(),
        }
    }
}

/// A delay queue. One queue a delay, since a message's own TTL would wait behind the queue's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryQueue(pub Duration);

impl RetryQueue {
    /// `member-events.retry.30s`
    pub fn name(self) -> String {
        format!("{EXCHANGE}.retry.{}", format_duration(self.0))
    }
}

/// What the settings decide about the topology.
#[derive(Debug, Clone, Copy)]
pub struct Topology {
    /// `QUEUE_MAX_LENGTH`: events the work queue holds before it refuses more.
    pub work_max_length: u64,
}

impl Topology {
    /// Reads `QUEUE_MAX_LENGTH`.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingError> {
        // RabbitMQ's lengths are signed.
        let range = 1..=i64::MAX.unsigned_abs();
        let work_max_length = settings.number(variables::QUEUE_MAX_LENGTH, range)?;
        Ok(Self { work_max_length })
    }
}

/// Declares everything but the delay queues. Repeating it changes nothing.
pub async fn declare(connection: &Connection, topology: Topology) -> Result<(), QueueError> {
    declare_work(connection, topology).await?;
    let channel = &open_channel(connection).await?;
    exchange(channel, UNROUTED, ExchangeKind::Fanout, FieldTable::default()).await?;
    queue(channel, UNROUTED, quorum([NO_DELIVERY_LIMIT])).await?;
    bind(channel, UNROUTED, UNROUTED, "").await?;

    let alternate = table([("alternate-exchange", text(UNROUTED))]);
    exchange(channel, EXCHANGE, ExchangeKind::Direct, alternate).await?;
    bind(channel, WORK, EXCHANGE, WORK).await?;
    queue(channel, DEAD, quorum([NO_DELIVERY_LIMIT])).await?;
    bind(channel, DEAD, EXCHANGE, DEAD).await?;

    exchange(channel, REJECTIONS, ExchangeKind::Fanout, FieldTable::default()).await?;
    let rejections = quorum([
        ("x-max-length", AMQPValue::LongInt(REJECTIONS_MAX_LENGTH)),
        ("x-overflow", text("reject-publish")),
        NO_DELIVERY_LIMIT,
    ]);
    queue(channel, REJECTIONS, rejections).await?;
    bind(channel, REJECTIONS, REJECTIONS, "").await?;
    close(channel).await
}

/// Whether what events and refusals are published to is there, for those who may declare nothing:
/// RabbitMQ lets everybody ask.
pub(crate) async fn look_for_topology(connection: &Connection) -> Result<(), QueueError> {
    let channel = &open_channel(connection).await?;
    let missing = QueueError::during("find the queues, which a worker declares when it starts");
    let looked = async {
        let options = ExchangeDeclareOptions { passive: true, ..Default::default() };
        let (kind, arguments) = (ExchangeKind::Direct, FieldTable::default());
        channel.exchange_declare(EXCHANGE.into(), kind, options, arguments).await?;
        // The refusals' queue is declared last: with it, all are there.
        for queue in [WORK, REJECTIONS] {
            let options = QueueDeclareOptions { passive: true, ..Default::default() };
            channel.queue_declare(queue.into(), options, FieldTable::default()).await?;
        }
        Ok(())
    };
    looked.await.map_err(missing)?;
    close(channel).await
}

/// The work queue's length comes from a setting, and a setting may change: the queue that exists
/// then stays as it is, and a policy of the broker can lower its limit.
async fn declare_work(connection: &Connection, topology: Topology) -> Result<(), QueueError> {
    let channel = open_channel(connection).await?;
    let max_length = i64::try_from(topology.work_max_length).unwrap_or(i64::MAX);
    let arguments = quorum([
        ("x-max-length", AMQPValue::LongLongInt(max_length)),
        ("x-delivery-limit", AMQPValue::LongInt(DELIVERY_LIMIT)),
        ("x-dead-letter-exchange", text(EXCHANGE)),
        ("x-dead-letter-routing-key", text(DEAD)),
    ]);
    match queue(&channel, WORK, at_least_once(arguments)).await {
        Err(error) if error.is_precondition_failed() => {
            tracing::warn!(
                queue = WORK,
                "the queue exists with another QUEUE_MAX_LENGTH and is used as it is; \
                 a RabbitMQ policy with max-length changes its limit"
            );
            Ok(())
        }
        Err(error) => Err(error),
        Ok(()) => close(&channel).await,
    }
}

/// Declares the delay queues, from which messages return to the work queue.
pub async fn declare_retries(
    connection: &Connection,
    retries: &[RetryQueue],
) -> Result<(), QueueError> {
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
