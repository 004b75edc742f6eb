//! A delivery of the work queue. Everybody in the worker may read it; only the settler takes it off the queue.

use queue::{
    Message, ReceivedHeaders, Route, WORK,
    lapin::{message::Delivery, options::BasicAckOptions, types::ShortString},
};
use runtime::{Trace, TraceContext};

/// Deliveries without an end after which an event is suspected of causing that.
const SUSPECT: u32 = 5;

/// A message as the work queue delivered it. The delivery inside is private, so that nobody else can ack it
/// (rule worker-1).
pub(crate) struct WorkDelivery(Delivery);

impl WorkDelivery {
    pub(crate) fn new(delivery: Delivery) -> Self {
        Self(delivery)
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.0.data
    }

    pub(crate) fn headers(&self) -> ReceivedHeaders {
        ReceivedHeaders::read(&self.0.properties)
    }

    /// Whether it came so often without an end that it may be what kills those who take it (rule worker-16).
    pub(crate) fn is_suspected(&self) -> bool {
        self.headers().history.crashes >= SUSPECT
    }

    /// The trace of what happens to it here, which goes on where its sender's left off.
    pub(crate) fn begin_trace(&self, headers: &ReceivedHeaders) -> Trace {
        queue::process(&self.0, headers, WORK)
    }

    /// The message's id, for log lines; one that no gateway made is cut short.
    pub(crate) fn loggable_id(&self) -> &str {
        let id = self.message_id().unwrap_or("none");
        if id.len() <= 64 { id } else { "too long" }
    }

    /// A message with its bytes as they are.
    pub(crate) fn copy(&self, route: Route, from: &TraceContext) -> Message {
        Message::of_bytes(self.0.data.clone(), self.message_id(), route, from)
    }

    /// Whether the channel that it came by still stands. Where it does not, the broker delivers it again.
    pub(super) fn is_acknowledgeable(&self) -> bool {
        self.0.usable()
    }

    /// Takes it off the queue, through the channel that it came by. False where that is gone.
    pub(super) async fn acknowledge(&self) -> bool {
        self.0.ack(BasicAckOptions::default()).await.unwrap_or(false)
    }

    fn message_id(&self) -> Option<&str> {
        self.0.properties.message_id().as_ref().map(ShortString::as_str)
    }
}
