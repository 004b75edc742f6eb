//! Whether the queues are there, as they must be: known to those, too, who may declare nothing.
//!
//! RabbitMQ tells somebody who may only publish neither whether a queue exists (a passive
//! declaration asks for rights on it since 4.2.6) nor what kind it is. So whoever has declared the
//! queues, and so knows, binds the work queue to one more exchange, [`DECLARED`], that RabbitMQ
//! deletes with its last binding (`auto-delete`): when the work queue is deleted, it goes too, and a
//! queue of the same name that somebody else makes does not bring it back. Publishing to an exchange
//! that is not there is an error; to this one, with a key that is bound to nothing, it is confirmed
//! and comes to no queue. The right to write to it is all that asking needs.

use std::time::Duration;

use lapin::{
    BasicProperties, Channel, Connection, ExchangeKind,
    options::{
        BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, ExchangeDeleteOptions,
        QueueBindOptions,
    },
    types::FieldTable,
};
use tokio::time::timeout;

use crate::{QueueError, WORK, connection::open_channel, topology::DECLARED};

/// Bound to no queue.
const QUESTION: &str = "standing";

/// A broker that takes longer is as good as away.
const PATIENCE: Duration = Duration::from_millis(1300);

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
pub(crate) struct Standing(Channel);

impl Standing {
    pub(crate) async fn open(connection: &Connection) -> Result<Self, QueueError> {
        let channel = open_channel(connection).await?;
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await
            .map_err(QueueError::during("turn on publisher confirms"))?;
        Ok(Self(channel))
    }

    /// An error when the work queue is not there, or is not known to be as it must be, or when
    /// RabbitMQ does not answer.
    pub(crate) async fn ask(&self) -> Result<(), QueueError> {
        let asked = async {
            let (options, properties) =
                (BasicPublishOptions::default(), BasicProperties::default());
            self.0
                .basic_publish(DECLARED.into(), QUESTION.into(), options, b"", properties)
                .await?
                .await
        };
        timeout(PATIENCE, asked)
            .await
            .map_err(|_| QueueError::Timeout("a question".to_owned()))?
            .map(drop)
            .map_err(QueueError::during("find the queues, which a worker declares when it starts"))
    }

    pub(crate) async fn close(self) {
        self.0.close(200, "asked".into()).await.ok();
    }
}

/// Asks once; the error is for whoever waits for a worker to declare the queues.
pub async fn look_for_queues(connection: &Connection) -> Result<(), QueueError> {
    let standing = Standing::open(connection).await?;
    standing.ask().await?;
    standing.close().await;
    Ok(())
}
