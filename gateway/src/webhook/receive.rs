//! The story of one webhook, from its headers to the answer.

use std::{net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use campus::DirectoryHandle;
use event::{Envelope, SCHEMA_VERSION};
use hyper::{HeaderMap, body::Body};
use queue::{Message, PublishError, Publisher, Route};
use runtime::Trace;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::Span;
use uuid::Uuid;

use crate::{
    intake::{
        body::{Intake, Received},
        timed_body::Arriving,
    },
    metrics::Metrics,
    webhook::{
        checks::{Checks, Cover, Delivery},
        refusal::{Refusal, Unavailable},
        refused::declined::Declined,
        reply::Accepted,
        signature::Signature,
        span,
    },
};

const SIGNATURE: &str = "x-webhook-signature";

/// From the last byte of a body to our answer; the contract allows 1.5 s, and the answer needs a
/// moment to get there.
const ANSWER_LIMIT: Duration = Duration::from_millis(1300);

/// Between a queue's refusal and the second try.
const REFUSED_PAUSE: Duration = Duration::from_millis(200);

/// A body of more bytes is parsed and hashed beside the threads that serve connections: those of
/// other senders must not wait the tens of milliseconds that 15 MB take.
const LARGE: usize = 256 * 1024;

/// Takes webhooks in, one call of [`Receiver::receive`] each.
pub(crate) struct Receiver {
    pub(crate) directory: DirectoryHandle,
    pub(crate) intake: Intake,
    pub(crate) checks: Arc<Checks>,
    pub(crate) publisher: Publisher,
    pub(crate) metrics: Arc<Metrics>,
}

impl Receiver {
    /// Look up, verify, decode, publish; the checks come in CONTRACT §2's order.
    ///
    /// `Ok` only once RabbitMQ has the event on the disks of a majority of its nodes.
    pub(crate) async fn receive<B>(
        &self,
        headers: &HeaderMap,
        origin: IpAddr,
        body: &mut Arriving<B>,
        trace: &Trace,
    ) -> Result<Accepted, Declined>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let header = headers.get(SIGNATURE).map(hyper::header::HeaderValue::as_bytes);
        let signature = Signature::from_header(header)?;
        let received = self.intake.read(body).await?;
        let deadline = received.ended_at + ANSWER_LIMIT;
        self.metrics.received(received.bytes.len());

        let cover = Cover { signature, origin, trace: trace.clone() };
        let delivery = self.check(cover, &received, deadline).await?;
        let declined = Declined::by(delivery.campus.id);
        span::link_sender(trace, headers);
        // All that is needed of it is in the envelope: its memory is the connection's again.
        drop(received);
        let envelope = delivery.into_envelope();
        tell_span(trace.span(), &envelope);
        self.publish(&envelope, deadline, trace).await.map_err(declined)?;
        self.metrics.accepted(&envelope.event_type);
        // The worker writes a line of each event's fate; this one is for following a single event.
        tracing::debug!(
            event_id = envelope.event_id,
            delivery_id = %envelope.delivery_id,
            campus_id = %envelope.campus_id,
            event_type = envelope.event_type.label(),
            trace_id = %trace.id(),
            "a webhook is accepted",
        );
        Ok(Accepted::new(envelope))
    }

    async fn check(
        &self,
        cover: Cover,
        received: &Received,
        deadline: Instant,
    ) -> Result<Delivery, Declined> {
        let directory = self.directory.snapshot();
        if received.bytes.len() <= LARGE {
            return self.checks.pass(&cover, &received.bytes, directory.as_deref());
        }
        let (body, checks) = (received.bytes.clone(), Arc::clone(&self.checks));
        let passed =
            tokio::task::spawn_blocking(move || checks.pass(&cover, &body, directory.as_deref()));
        match timeout_at(deadline, passed).await {
            Ok(Ok(passed)) => passed,
            // Too much to do; a panic, which there is none, would be told as the same.
            Ok(Err(_)) | Err(_) => Err(Unavailable::Slow.into()),
        }
    }

    async fn publish(
        &self,
        envelope: &Envelope,
        deadline: Instant,
        trace: &Trace,
    ) -> Result<(), Refusal> {
        let started = Instant::now();
        // On time-out the event may be queued nonetheless; its twin is told apart later.
        let confirmed = timeout_at(deadline, self.publish_twice(envelope, trace)).await;
        self.metrics.published(started.elapsed());
        match confirmed {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Unavailable::Queue(error).into()),
            Err(_) => Err(Unavailable::Slow.into()),
        }
    }

    /// A queue refuses what comes while its leader is elected, or a moment before there is room again:
    /// nobody sends it a second time but we.
    async fn publish_twice(&self, envelope: &Envelope, trace: &Trace) -> Result<(), PublishError> {
        let message = || Message::new(envelope, Route::Work, trace.context());
        match self.publisher.publish(message()).await {
            Err(PublishError::Refused) => {
                sleep(REFUSED_PAUSE).await;
                self.publisher.publish(message()).await
            }
            outcome => outcome,
        }
    }
}

/// Whose event it is, where spans are exported; no member's id, since traces are kept elsewhere.
fn tell_span(span: &Span, envelope: &Envelope) {
    if !span.is_disabled() {
        span.record("faithtracker.event.id", envelope.event_id.as_str());
        span.record("faithtracker.event.type", envelope.event_type.label());
        span.record("faithtracker.campus.id", envelope.campus_id.to_string());
    }
}

impl Delivery {
    fn into_envelope(self) -> Envelope {
        Envelope {
            schema_version: SCHEMA_VERSION,
            delivery_id: Uuid::now_v7(),
            event_id: self.payload.event_id.unwrap_or_else(|| Uuid::new_v4().to_string()),
            event_type: self.payload.event_type,
            campus_id: self.campus.id,
            member_id: self.payload.member_id,
            occurred_at: self.payload.occurred_at,
            received_at: self.received_at,
        }
    }
}
