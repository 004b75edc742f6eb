//! One webhook, from its headers to the answer: read, check, publish.

use std::{net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use campus::DirectoryHandle;
use event::{Envelope, SCHEMA_VERSION};
use hyper::{HeaderMap, body::Body};
use queue::{Message, PublishError, Publisher, Route};
use runtime::Trace;
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

use crate::{
    intake::{
        body::{BodyReader, ReceivedBody},
        timed_body::TimedBody,
    },
    metrics::Metrics,
    webhook::{
        checks::{Checks, RequestContext, VerifiedEvent},
        refusal::{Refusal, Unavailable},
        refused::declined::Declined,
        reply::Accepted,
        signature::Signature,
        span,
    },
};

const SIGNATURE: &str = "x-webhook-signature";

/// From the last byte of a body to our answer; interface §2 allows 1.5 s, and the answer needs a moment to get there.
const ANSWER_LIMIT: Duration = Duration::from_millis(1300);

/// Between a queue's refusal and the second try.
const REFUSED_PAUSE: Duration = Duration::from_millis(200);

/// A body of more bytes is parsed and hashed beside the threads that serve connections: those of
/// other senders must not wait the tens of milliseconds that 15 MB take.
const LARGE: usize = 256 * 1024;

/// Takes webhooks in, one call of [`Receiver::receive`] each.
pub(crate) struct Receiver {
    pub(crate) directory: DirectoryHandle,
    pub(crate) bodies: BodyReader,
    pub(crate) checks: Arc<Checks>,
    pub(crate) publisher: Publisher,
    pub(crate) metrics: Arc<Metrics>,
}

impl Receiver {
    /// Look up, verify, decode, publish; the checks come in the order of interface §2.
    ///
    /// `Ok` only once RabbitMQ has the event on the disks of a majority of its nodes (rule gateway-1).
    pub(crate) async fn receive<B>(
        &self,
        headers: &HeaderMap,
        origin: IpAddr,
        body: &mut TimedBody<B>,
        trace: &Trace,
    ) -> Result<Accepted, Declined>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let header = headers.get(SIGNATURE).map(hyper::header::HeaderValue::as_bytes);
        let signature = Signature::from_header(header)?;
        let received = self.bodies.read(body).await?;
        let deadline = received.ended_at + ANSWER_LIMIT;
        self.metrics.received(received.bytes.len());

        let context = RequestContext { signature, origin, trace: trace.clone() };
        let event = self.check(context, &received, deadline).await?;
        let declined = Declined::by(event.campus.id);
        span::link_sender(trace, headers);
        // All that is needed of it is in the envelope: its memory is the connection's again.
        drop(received);
        let envelope = event.into_envelope();
        span::record_event(trace, &envelope);
        self.publish(&envelope, deadline, trace).await.map_err(declined)?;
        self.metrics.accepted(&envelope.event_type);
        // The worker logs what becomes of each event; this line is for following a single one.
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
        context: RequestContext,
        received: &ReceivedBody,
        deadline: Instant,
    ) -> Result<VerifiedEvent, Declined> {
        let directory = self.directory.snapshot();
        if received.bytes.len() <= LARGE {
            return self.checks.pass(&context, &received.bytes, directory.as_deref());
        }
        let (body, checks) = (received.bytes.clone(), Arc::clone(&self.checks));
        let passed =
            tokio::task::spawn_blocking(move || checks.pass(&context, &body, directory.as_deref()));
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
        // On time-out the event may be queued nonetheless; its duplicate is found by the worker.
        let confirmed = timeout_at(deadline, self.publish_twice(envelope, trace)).await;
        self.metrics.published(started.elapsed());
        match confirmed {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Unavailable::Queue(error).into()),
            Err(_) => Err(Unavailable::Slow.into()),
        }
    }

    /// A queue refuses what comes while its leader is elected, or a moment before there is room again, and the sender does
    /// not send it a second time (rule gateway-8).
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

impl VerifiedEvent {
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
