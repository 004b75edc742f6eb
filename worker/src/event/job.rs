//! A delivery that is worked on, with its event.

use std::{fmt, sync::Arc, time::Instant};

use chrono::Utc;
use event::{Envelope, EventType, History};
use queue::ReceivedHeaders;
use runtime::Trace;
use store::{Entry, Happened};
use tokio_util::task::task_tracker::TaskTrackerToken;
use uuid::Uuid;

use crate::event::settle::delivery::WorkDelivery;

/// A member, by campus and the core's id.
pub(crate) type MemberKey = (Uuid, String);

/// One delivery, from the queue to its settlement.
pub(crate) struct Job {
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) history: History,
    /// Its processing; the parent is the span that sent it here.
    pub(crate) trace: Trace,
    began: Instant,
    delivery: WorkDelivery,
    /// Tells the drain that something is still held.
    _held: TaskTrackerToken,
}

impl Job {
    pub(crate) fn new(
        envelope: Envelope,
        headers: ReceivedHeaders,
        delivery: WorkDelivery,
        held: TaskTrackerToken,
    ) -> Self {
        let trace = delivery.begin_trace(&headers);
        let span = trace.span();
        span.record("faithtracker.event.id", envelope.event_id.as_str());
        span.record("faithtracker.event.type", envelope.event_type.label());
        if !span.is_disabled() {
            span.record("faithtracker.campus.id", envelope.campus_id.to_string());
        }
        span.record("faithtracker.attempt", i64::from(headers.history.failed_attempts()) + 1);
        Self {
            envelope: Arc::new(envelope),
            history: headers.history,
            trace,
            began: Instant::now(),
            delivery,
            _held: held,
        }
    }

    /// The member that it speaks of; none for tests and unknown types.
    pub(crate) fn key(&self) -> Option<MemberKey> {
        if !self.envelope.event_type.is_member() {
            return None;
        }
        Some((self.envelope.campus_id, self.envelope.member_id.clone()?))
    }

    pub(crate) fn is_delete(&self) -> bool {
        self.envelope.event_type == EventType::MemberDeleted
    }

    pub(crate) fn happened(&self) -> Happened {
        let Envelope { occurred_at, received_at, .. } = *self.envelope;
        Happened { occurred_at, received_at: Some(received_at) }
    }

    /// The delivery as its log row has it, while this attempt is made.
    pub(crate) fn entry(&self) -> Entry {
        Entry {
            envelope: Arc::clone(&self.envelope),
            attempts: self.attempt(),
            trace_id: Some(self.trace.id().to_string()),
        }
    }

    /// Which attempt this is, the first being 1.
    pub(crate) fn attempt(&self) -> u32 {
        self.history.failed_attempts().saturating_add(1)
    }

    /// How long this worker has had it.
    pub(crate) fn milliseconds_here(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// How long ago the gateway received it, by two clocks.
    pub(crate) fn milliseconds_since_receipt(&self) -> u64 {
        (Utc::now() - self.envelope.received_at).num_milliseconds().max(0).unsigned_abs()
    }

    /// What only the settler can do something with.
    pub(crate) fn delivery(&self) -> &WorkDelivery {
        &self.delivery
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Job").field(&self.envelope.delivery_id).finish()
    }
}
