//! A vhost of one's own.

use lapin::{
    Channel, Connection, ConnectionProperties, options::QueueDeclareOptions, types::FieldTable,
};
use uuid::Uuid;

use crate::servers::{Management, ServerAddresses};

/// The vhost of one test.
pub struct TestBroker {
    url: String,
    vhost: String,
    management: String,
}

impl TestBroker {
    /// Makes a vhost on a broker.
    pub(super) async fn create(addresses: &ServerAddresses) -> Self {
        let vhost = format!("test-{}", Uuid::new_v4().simple());
        Management::new(&addresses.management).add_vhost(&vhost).await.unwrap();
        Self {
            url: format!("{}/{vhost}", addresses.amqp),
            vhost,
            management: addresses.management.clone(),
        }
    }

    /// The URL of the vhost, with all rights.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL of the broker's management API, with all rights.
    pub fn management_url(&self) -> &str {
        &self.management
    }

    /// The name of the vhost.
    pub fn vhost(&self) -> &str {
        &self.vhost
    }

    /// A channel on a connection of its own, for looking into queues and for publishing what the
    /// programs never would.
    pub async fn channel(&self) -> Channel {
        let connection =
            Connection::connect(&self.url, ConnectionProperties::default()).await.unwrap();
        connection.create_channel().await.unwrap()
    }

    /// How many messages of a queue wait to be delivered: those that a consumer holds do not count.
    /// None when there is no such queue.
    pub async fn queue_depth(&self, queue: &str) -> Option<u32> {
        let options = QueueDeclareOptions { passive: true, ..Default::default() };
        // A failed passive declaration closes its channel, so every question has its own.
        let channel = self.channel().await;
        let declared = channel.queue_declare(queue.into(), options, FieldTable::default()).await;
        declared.ok().map(|queue| queue.message_count())
    }
}
