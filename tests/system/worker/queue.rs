//! Messages that are put into the work queue past the gateway: as they were when they had waited
//! for long, were replayed, or were written by somebody else.

use chrono::{TimeDelta, Utc};
use event::{Envelope, EventType, SCHEMA_VERSION};
use harness::TestSystem;
use lapin::{
    BasicProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::{AMQPValue, FieldTable},
};
use queue::{EXCHANGE, WORK};
use uuid::Uuid;

use super::campus_under_test::CampusUnderTest;

/// Every queue that an event can be in.
pub(crate) const QUEUES: [&str; 3] = [WORK, queue::DEAD, queue::UNROUTED];

impl CampusUnderTest<'_> {
    /// The envelope of an event that a gateway received `age` ago.
    pub(crate) fn envelope(&self, event_type: &str, member: &str, age: TimeDelta) -> Envelope {
        let received_at = Utc::now() - age;
        Envelope {
            schema_version: SCHEMA_VERSION,
            delivery_id: Uuid::now_v7(),
            event_id: Uuid::new_v4().to_string(),
            event_type: EventType::from(event_type.to_owned()),
            campus_id: self.id.parse().unwrap(),
            member_id: Some(member.to_owned()),
            occurred_at: Some(received_at),
            received_at,
        }
    }
}

/// Publishes an envelope to the workers, as a gateway would.
pub(crate) async fn publish(system: &TestSystem, envelope: &Envelope) {
    publish_replayed(system, envelope, 0).await;
}

/// Publishes an envelope that an operator has replayed that many times.
pub(crate) async fn publish_replayed(system: &TestSystem, envelope: &Envelope, replays: u32) {
    let mut headers = FieldTable::default();
    headers.insert("x-replays".into(), AMQPValue::LongUInt(replays));
    let properties = BasicProperties::default()
        .with_message_id(envelope.delivery_id.to_string().into())
        .with_headers(headers);
    publish_bytes(system, &envelope.encode(), properties).await;
}

/// Publishes anything to the workers, and waits until the queue has it.
pub(crate) async fn publish_bytes(system: &TestSystem, body: &[u8], properties: BasicProperties) {
    let channel = system.broker.channel().await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let options = BasicPublishOptions::default();
    let confirm =
        channel.basic_publish(EXCHANGE.into(), WORK.into(), options, body, properties).await;
    assert!(confirm.unwrap().await.unwrap().is_ack());
}

/// Asserts that no event waits anywhere.
pub(crate) async fn assert_queues_are_empty(system: &TestSystem) {
    for queue in QUEUES {
        assert_eq!(system.queue_depth(queue).await, Some(0), "{queue}");
    }
}
