//! Taking the messages of a queue before any worker does.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt;
use lapin::{
    BasicProperties, Channel,
    options::{BasicConsumeOptions, BasicQosOptions},
    types::{AMQPValue, FieldTable},
};
use tokio::task::JoinHandle;

/// A message that was taken.
#[derive(Debug, Clone)]
pub struct Intercepted {
    /// Its properties.
    pub properties: BasicProperties,
    /// Its body.
    pub data: Vec<u8>,
}

/// A consumer that goes before the workers: RabbitMQ gives others nothing while one of a higher priority takes all. What
/// it takes stays in the queue, unacknowledged, and goes on to a worker when this is dropped.
pub struct Interception {
    taken: Arc<Mutex<Vec<Intercepted>>>,
    task: JoinHandle<()>,
}

impl Interception {
    pub(super) async fn of(channel: Channel, queue: &str) -> Self {
        // A quorum queue takes none for 2,000.
        channel.basic_qos(u16::MAX, BasicQosOptions::default()).await.unwrap();
        let mut arguments = FieldTable::default();
        arguments.insert("x-priority".into(), AMQPValue::LongInt(10));
        let mut consumer = channel
            .basic_consume(
                queue.into(),
                "interception".into(),
                BasicConsumeOptions::default(),
                arguments,
            )
            .await
            .unwrap();
        let taken: Arc<Mutex<Vec<Intercepted>>> = Arc::default();
        let task = tokio::spawn({
            let taken = Arc::clone(&taken);
            async move {
                // The connection lives as long as its channel.
                let _channel = channel;
                while let Some(Ok(delivery)) = consumer.next().await {
                    let message =
                        Intercepted { properties: delivery.properties, data: delivery.data };
                    taken.lock().unwrap_or_else(PoisonError::into_inner).push(message);
                }
            }
        });
        Self { taken, task }
    }

    /// What was taken until now.
    pub fn taken(&self) -> Vec<Intercepted> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many were.
    pub fn count(&self) -> usize {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Drop for Interception {
    fn drop(&mut self) {
        self.task.abort();
    }
}
