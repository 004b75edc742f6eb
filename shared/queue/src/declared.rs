//! Whether the queues are there, as they must be: known to those, too, who may declare nothing.
//!
//! RabbitMQ tells somebody who may only publish neither whether a queue exists (a passive
//! declaration asks for rights on it since 4.2.6) nor what kind it is. So whoever has declared the
//! queues, and so knows, binds the work queue to one more exchange, [`DECLARED`], that RabbitMQ
//! deletes with its last binding (`auto-delete`): when the work queue is deleted, it goes too, and a
//! queue of the same name that somebody else makes does not bring it back. Publishing to an exchange
//! that is not there is an error; to this one, with a key that is bound to nothing, it is confirmed
//! and comes to no queue. The right to write to it is all that asking needs.

use std::{pin::pin, time::Duration};

use lapin::{
    BasicProperties, Channel, Connection, ExchangeKind,
    options::{
        BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, ExchangeDeleteOptions,
        QueueBindOptions,
    },
    types::FieldTable,
};
use tokio::time::{sleep, timeout};

use crate::{
    channel::{open_channel, open_confirming},
    condition::Condition,
    depth::{Count, depth},
    error::QueueError,
    lane::{CONFIRM_LIMIT, SLOW},
    topology::{DECLARED, WORK},
};

/// Bound to no queue.
const PROBE_KEY: &str = "probe";

/// How often it is asked while a connection is at work.
const EVERY: Duration = Duration::from_millis(500);

/// Says that the queues are declared. The work queue must just have been.
pub(crate) async fn mark(channel: &Channel) -> Result<(), QueueError> {
    let options = ExchangeDeclareOptions { durable: true, auto_delete: true, ..Default::default() };
    let none = FieldTable::default();
    channel
        .exchange_declare(DECLARED.into(), ExchangeKind::Direct, options, none.clone())
        .await
        .map_err(QueueError::during("declare the exchange that says that the queues are there"))?;
    let bound = channel
        .queue_bind(WORK.into(), DECLARED.into(), WORK.into(), QueueBindOptions::default(), none)
        .await;
    if let Err(error) = bound {
        // The queue was deleted meanwhile: an exchange that was never bound would stay, and lie.
        let options = ExchangeDeleteOptions { if_unused: true, ..Default::default() };
        channel.exchange_delete(DECLARED.into(), options).await.ok();
        return Err(QueueError::during("say that the queues are there")(error));
    }
    Ok(())
}

/// A channel to ask on, as often as one likes, until the answer is no.
pub(crate) struct QueueProbe(Channel);

impl QueueProbe {
    pub(crate) async fn open(connection: &Connection) -> Result<Self, QueueError> {
        open_confirming(connection).await.map(Self)
    }

    /// An error when the work queue is not there, or is not known to be as it must be.
    pub(crate) async fn ask(&self) -> Result<(), QueueError> {
        let asked = async {
            let (options, properties) =
                (BasicPublishOptions::default(), BasicProperties::default());
            self.0
                .basic_publish(DECLARED.into(), PROBE_KEY.into(), options, b"", properties)
                .await?
                .await
        };
        asked
            .await
            .map(drop)
            .map_err(QueueError::during("find the queues, which a worker declares when it starts"))
    }

    pub(crate) async fn close(self) {
        self.0.close(200, "asked".into()).await.ok();
    }
}

/// Asks once; the error is for whoever waits for a worker to declare the queues.
pub async fn look_for_queues(connection: &Connection) -> Result<(), QueueError> {
    let probe = QueueProbe::open(connection).await?;
    probe.ask().await?;
    probe.close().await;
    Ok(())
}

/// Asks again and again on a connection that is at work, and tells what it hears; ends with an error
/// when the queues are gone, or the broker says nothing for long.
pub(crate) async fn watch(
    connection: &Connection,
    probe: Option<&QueueProbe>,
    condition: &Condition,
) -> Result<(), QueueError> {
    loop {
        sleep(EVERY).await;
        // A broker with an alarm hears nothing.
        if let Some(probe) = probe.filter(|_| !connection.status().blocked()) {
            ask_with_limit(probe, connection, condition).await?;
        }
        if let Some(full) = condition.full() {
            let counted = timeout(CONFIRM_LIMIT, depth(connection, &full.key())).await;
            condition.counted(match counted {
                Ok(Ok(Count::Of(depth))) => Some(depth.messages),
                _ => None,
            });
        }
        condition.tick();
    }
}

async fn ask_with_limit(
    probe: &QueueProbe,
    connection: &Connection,
    condition: &Condition,
) -> Result<(), QueueError> {
    let mut asked = pin!(probe.ask());
    let channel = probe.0.id();
    let answer = match timeout(SLOW, &mut asked).await {
        Ok(answer) => answer,
        Err(_) => loop {
            condition.slow(channel, true);
            match timeout(CONFIRM_LIMIT, &mut asked).await {
                Ok(answer) => break answer,
                Err(_) if connection.status().blocked() => {}
                Err(_) => return Err(QueueError::Timeout("a question".to_owned())),
            }
        },
    };
    condition.slow(channel, false);
    answer
}

/// Whether this user may publish to an exchange, and it is there, found out without a message: one
/// is published that RabbitMQ looks at last of all, and refuses (406) for what it says of itself.
pub(crate) async fn may_publish(
    connection: &Connection,
    exchange: &'static str,
) -> Result<(), QueueError> {
    let channel = open_channel(connection).await?;
    let operation = QueueError::during("publish a message");
    let properties = BasicProperties::default()
        .with_expiration("none".into())
        .with_user_id("nobody of that name".into());
    let options = BasicPublishOptions::default();
    let asked = async {
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        channel
            .basic_publish(exchange.into(), PROBE_KEY.into(), options, b"", properties)
            .await?
            .await
    };
    match asked.await.map_err(operation) {
        Err(error) if error.is_precondition_failed() => Ok(()),
        answer => answer.map(drop),
    }
}
