//! The audit of refused deliveries: sent to `webhook-rejections`, as far as that costs nobody anything (rule gateway-9). An
//! attacker fills neither memory nor the database with it, and nobody waits for it: where it fails, a metric counts what was
//! not sent.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use campus::RateLimit;
use chrono::{DateTime, Utc};
use event::{Rejection, SCHEMA_VERSION};
use opentelemetry::metrics::Counter;
use queue::{Message, Publisher};
use runtime::{Trace, TraceContext, metrics::meter};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::webhook::{
    limiter::Limiter, payload::Claims, refusal::Refusal, refused::declined::Declined,
};

/// Refusals sent of each campus and reason, in the long run, a second: a flood of bad signatures
/// does not hide what its own sender does wrong.
const RATE: u32 = 1;
/// How many seconds' worth may come at once: a person who tries out a secret sees every attempt.
const BURST: Duration = Duration::from_secs(30);
/// Refusals that may wait for the publisher, of all campuses.
const WAITING: usize = 256;

/// What is sent, and where in a trace that was.
type Queued = (Rejection, TraceContext);

/// Where refusals are sent to.
pub(crate) struct Audit {
    limiter: Limiter<(Uuid, &'static str)>,
    rate: Option<RateLimit>,
    rejections: mpsc::Sender<Queued>,
    failures: Counter<u64>,
}

/// A refused delivery of a known campus.
pub(crate) struct Refused<'request> {
    pub(crate) campus: Uuid,
    pub(crate) declined: Declined,
    pub(crate) origin: IpAddr,
    pub(crate) body: &'request [u8],
    pub(crate) received_at: DateTime<Utc>,
    pub(crate) trace: &'request Trace,
}

impl Audit {
    /// Starts the task that publishes; it ends when the audit is dropped.
    pub(crate) fn start(publisher: Publisher) -> Self {
        let failures = meter()
            .u64_counter("gateway_audit_failures")
            .with_description("Refused deliveries that could not be told to webhook-rejections")
            .build();
        failures.add(0, &[]);
        let (rejections, waiting) = mpsc::channel(WAITING);
        tokio::spawn(publish(waiting, publisher, failures.clone()));
        Self { limiter: Limiter::new(BURST), rate: RateLimit::new(RATE), rejections, failures }
    }

    /// Whether a refusal is sent: not all of a flood are, and asking counts as sending.
    pub(crate) fn admits(&self, campus: Uuid, refusal: Refusal) -> bool {
        let key = (campus, refusal.label());
        self.rate.is_some_and(|rate| self.limiter.take(key, rate, Instant::now()).is_ok())
    }

    /// Sends that a webhook for a known campus was refused; best effort.
    pub(crate) fn send(&self, refused: &Refused<'_>) {
        let Refused { campus, declined, origin, body, received_at, trace } = *refused;
        let claims = Claims::read(body);
        let rejection = Rejection {
            schema_version: SCHEMA_VERSION,
            delivery_id: Uuid::now_v7(),
            campus_id: campus,
            event_id: claims.event_id,
            event_type: claims.event_type,
            member_id: claims.member_id,
            signature_valid: declined.refusal.is_of_verified(),
            reason: reason(declined, origin),
            received_at,
        };
        if self.rejections.try_send((rejection, trace.context().clone())).is_err() {
            self.failures.add(1, &[]);
        }
    }
}

/// Why, where from, and what is noticed about it.
fn reason(declined: Declined, origin: IpAddr) -> String {
    let reason = format!("{} It came from {}.", declined.refusal.sentence(), origin);
    match declined.clue {
        Some(clue) => format!("{reason} {clue}"),
        None => reason,
    }
}

/// Publishes one after another; says once that it fails, and once that it works again.
async fn publish(
    mut waiting: mpsc::Receiver<Queued>,
    publisher: Publisher,
    failures: Counter<u64>,
) {
    let mut is_failing = false;
    while let Some((rejection, trace)) = waiting.recv().await {
        match publisher.publish(Message::rejection(&rejection, &trace)).await {
            Ok(()) if is_failing => tracing::info!("refused deliveries are audited again"),
            Ok(()) => {}
            Err(error) => {
                failures.add(1, &[]);
                if !is_failing {
                    tracing::warn!(%error, "refused deliveries are not audited; nothing else fails");
                }
                is_failing = true;
                continue;
            }
        }
        is_failing = false;
    }
}
