//! The audit of refused deliveries: told to `webhook-rejections`, as far as that costs nobody
//! anything. An attacker fills neither memory nor the database with it, and nobody waits for it.

use std::time::{Duration, Instant};

use campus::{Campus, RateLimit};
use chrono::{DateTime, Utc};
use event::{Rejection, SCHEMA_VERSION};
use queue::{Message, Publisher};
use runtime::{Trace, TraceContext};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{Refusal, limiter::Limiter, payload::Claims};

/// Refusals told of each campus, in the long run, a second.
const RATE: u32 = 1;
/// How many seconds' worth may come at once: a person who tries out a secret sees every attempt.
const BURST: Duration = Duration::from_secs(30);
/// Refusals that may wait for the publisher, of all campuses.
const WAITING: usize = 256;

/// What is told, and where in a trace that was.
type Refused = (Rejection, TraceContext);

/// Where refusals are told to.
pub(crate) struct Audit {
    limiter: Limiter,
    rate: Option<RateLimit>,
    rejections: mpsc::Sender<Refused>,
}

impl Audit {
    /// Starts the task that publishes; it ends when the audit is dropped.
    pub(crate) fn start(publisher: Publisher) -> Self {
        let (rejections, mut waiting) = mpsc::channel::<Refused>(WAITING);
        tokio::spawn(async move {
            while let Some((rejection, trace)) = waiting.recv().await {
                let message = Message::rejection(&rejection, &trace);
                if let Err(error) = publisher.publish(message).await {
                    tracing::debug!(
                        %error, trace_id = %trace.trace_id(),
                        "a refused delivery is not told to the audit"
                    );
                }
            }
        });
        Self { limiter: Limiter::new(BURST), rate: RateLimit::new(RATE), rejections }
    }

    /// Tells that a webhook for a known campus was refused; best effort.
    pub(crate) fn refused(
        &self,
        campus: &Campus,
        refusal: Refusal,
        body: &[u8],
        received_at: DateTime<Utc>,
        trace: &Trace,
    ) {
        let Some(rate) = self.rate else { return };
        // Before the body is read once more: a flood must not cost more than its refusal.
        if self.limiter.take(campus.id, rate, Instant::now()).is_err() {
            return;
        }
        let claims = Claims::read(body);
        let rejection = Rejection {
            schema_version: SCHEMA_VERSION,
            delivery_id: Uuid::now_v7(),
            campus_id: campus.id,
            event_id: claims.event_id,
            event_type: claims.event_type,
            member_id: claims.member_id,
            signature_valid: refusal.is_of_verified(),
            reason: refusal.sentence(),
            received_at,
        };
        self.rejections.try_send((rejection, trace.context().clone())).ok();
    }
}
