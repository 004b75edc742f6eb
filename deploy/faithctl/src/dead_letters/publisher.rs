//! The way back into the work queue.

use std::time::Duration;

use anyhow::Context;
use futures_util::future::join_all;
use queue::{Declarations, Link, Message, PublishError, Publisher, PublisherOptions, Topology};
use runtime::Health;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::environment::Environment;

const READY_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long the connection may take to be closed in order.
const CLOSE_WITHIN: Duration = Duration::from_secs(3);

/// A publisher that lasts as long as a command, and connects again when the broker was away.
pub(super) struct ReplayPublisher {
    publisher: Publisher,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl ReplayPublisher {
    /// Connects, or says why not.
    pub(super) async fn connect(environment: &Environment) -> anyhow::Result<Self> {
        let broker = environment.broker()?;
        let topology = Topology::from_settings(environment.settings())?;
        // Tried once by itself: what is wrong with the address is known at once, and in full.
        let tried = broker.connect().await.context("nothing was replayed")?;
        tried.close(200, "tried".into()).await.ok();

        let health = Health::default();
        let stop = CancellationToken::new();
        let declarations = Declarations::of_events(topology);
        let link = Link { broker, declarations, check: health.check("RabbitMQ") };
        let (publisher, task) = Publisher::start(link, PublisherOptions::default(), stop.clone());
        let deadline = Instant::now() + READY_WITHIN;
        while let Some((_, reason)) = health.reasons().pop_first() {
            if Instant::now() > deadline {
                anyhow::bail!("nothing was replayed: RabbitMQ cannot be used: {reason}");
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(Self { publisher, stop, task })
    }

    /// Publishes all at once, and answers when each was confirmed or not.
    pub(super) async fn publish(
        &self,
        messages: impl IntoIterator<Item = Message>,
    ) -> Vec<Result<(), PublishError>> {
        join_all(messages.into_iter().map(|message| self.publisher.publish(message))).await
    }

    /// Closes the connection.
    pub(super) async fn close(self) {
        self.stop.cancel();
        tokio::time::timeout(CLOSE_WITHIN, self.task).await.ok();
    }
}
