//! A delivery in the worker's hands, and the groups that share one read of the core.

use std::{fmt, sync::Arc};

use event::{Envelope, EventType, History};
use queue::{ReceivedHeaders, lapin::message::Delivery};
use store::Entry;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::Span;
use uuid::Uuid;

use crate::trace;

/// A member, by campus and the core's id.
pub(crate) type Key = (Uuid, String);

/// One delivery, from the queue to its settlement.
pub(crate) struct Job {
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) history: History,
    /// The span of its processing; the parent is the gateway's.
    pub(crate) span: Span,
    pub(crate) trace_id: Option<String>,
    delivery: Delivery,
    /// Tells the drain that something is still held.
    _held: TaskTrackerToken,
}

impl Job {
    pub(crate) fn new(
        envelope: Envelope,
        headers: ReceivedHeaders,
        delivery: Delivery,
        held: TaskTrackerToken,
    ) -> Self {
        let span = tracing::info_span!(
            "process member-events",
            otel.kind = "consumer",
            messaging.system = "rabbitmq",
            messaging.operation.type = "process",
            messaging.destination.name = "member-events:member-events.work",
            messaging.message.id = %envelope.delivery_id,
            delivery = %envelope.delivery_id,
            campus = %envelope.campus_id,
            event_type = envelope.event_type.label(),
        );
        let trace_id = headers.traceparent.as_deref().and_then(|parent| trace::join(&span, parent));
        Self {
            envelope: Arc::new(envelope),
            history: headers.history,
            span,
            trace_id,
            delivery,
            _held: held,
        }
    }

    /// The member that it speaks of; none for tests and unknown types.
    pub(crate) fn key(&self) -> Option<Key> {
        if !self.envelope.event_type.is_member() {
            return None;
        }
        Some((self.envelope.campus_id, self.envelope.member_id.clone()?))
    }

    pub(crate) fn is_delete(&self) -> bool {
        self.envelope.event_type == EventType::MemberDeleted
    }

    /// The delivery as its log row tells it, while this attempt is made.
    pub(crate) fn entry(&self) -> Entry {
        Entry {
            envelope: Arc::clone(&self.envelope),
            attempts: self.history.failed_attempts().saturating_add(1),
            trace_id: self.trace_id.clone(),
        }
    }

    /// Takes the message off the queue. False where the channel it came by is gone: the broker
    /// brings it again then.
    pub(crate) async fn acknowledge(&self) -> bool {
        self.delivery.ack(queue::lapin::options::BasicAckOptions::default()).await.unwrap_or(false)
    }

    /// Whether the channel that the message came by still stands.
    pub(crate) fn is_acknowledgeable(&self) -> bool {
        self.delivery.usable()
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Job").field(&self.envelope.delivery_id).finish()
    }
}

/// Deliveries that share one read of the core: all that waited for the same member. One group a
/// member is under way in a worker, from draw to commit (CORRECTNESS §4).
#[derive(Debug)]
pub(crate) struct Group {
    /// None for tests and unknown types, which are alone.
    pub(crate) key: Option<Key>,
    pub(crate) jobs: Vec<Job>,
    /// The number first drawn, where a later read of ours was refused.
    pub(crate) first_drawn: Option<i64>,
    /// A delete that could not be taken at its word.
    pub(crate) must_ask: bool,
}

impl Group {
    pub(crate) fn new(key: Option<Key>) -> Self {
        Self { key, jobs: Vec::new(), first_drawn: None, must_ask: false }
    }
}
