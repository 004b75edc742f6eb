//! What is on the work queue, where no worker takes it.

use harness::TestSystem;
use queue::lapin::{message::BasicGetMessage, options::BasicGetOptions};
use serde_json::Value;

/// A message of the work queue.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) envelope: Value,
    pub(super) message: BasicGetMessage,
}

impl Published {
    pub(super) fn text(&self, key: &str) -> &str {
        self.envelope[key].as_str().unwrap_or_else(|| panic!("{key}: {self:?}"))
    }
}

/// Takes everything off the work queue.
pub(super) async fn drain(system: &TestSystem) -> Vec<Published> {
    let channel = system.broker.channel().await;
    let mut all = Vec::new();
    let options = BasicGetOptions { no_ack: true };
    while let Some(message) = channel.basic_get(queue::WORK.into(), options).await.unwrap() {
        all.push(Published { envelope: serde_json::from_slice(&message.data).unwrap(), message });
    }
    all
}
