//! What one request gets: a path, an answer, its place in logs and metrics.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, Version,
    body::Incoming,
    header::{CONNECTION, HOST, HeaderValue},
    http::request::Parts,
};
use runtime::Trace;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    Refusal,
    arriving::Arriving,
    metrics::Metrics,
    receive::Receiver,
    refusal::Declined,
    reply::{self, Accepted},
    seat::OurTurn,
    span,
    throttle::Throttle,
};

/// Where webhooks go; the second is what newer FaithTrackers show.
const PATHS: [&str; 2] = ["/api/sync/webhook", "/sync/webhook"];

/// Answers requests.
pub(crate) struct Service {
    pub(crate) receiver: Receiver,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) refused: Throttle,
    pub(crate) failed: Throttle,
    /// Once cancelled, every answer asks the sender to come back on a new connection.
    pub(crate) shutdown: CancellationToken,
}

impl Service {
    /// Answers one request; our turn ends with it, or with the rest of a body that is not wanted.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        ours: OurTurn,
    ) -> Response<Full<Bytes>> {
        let started = Instant::now();
        let (head, body) = request.into_parts();
        let mut body = Arriving::new(body, Arc::clone(ours.seat()));
        let (outcome, trace) = match route(&head) {
            Ok(path) => {
                let trace = Trace::of(span::begin(path, &head));
                let received = self.receiver.receive(&head.headers, &mut body, &trace);
                let outcome = received.instrument(trace.span().clone()).await;
                span::end(&trace, &outcome);
                (outcome, Some(trace))
            }
            Err(refusal) => (Err(refusal.into()), None),
        };
        self.report(&outcome, trace.as_ref());
        let outcome = outcome.map_err(|declined| declined.refusal);
        if !body.has_ended() {
            tokio::spawn(body.discard(ours));
        }
        self.metrics.answered(reply::status(&outcome), started.elapsed());
        let mut response = reply::response(&outcome);
        if self.shutdown.is_cancelled() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// What was accepted is told by the worker, with its fate; of what was refused a few lines a
    /// second are written, whoever floods us.
    fn report(&self, outcome: &Result<Accepted, Declined>, trace: Option<&Trace>) {
        let Err(Declined { refusal, campus }) = *outcome else { return };
        self.metrics.refused(refusal);
        if let Some(campus) = campus {
            self.metrics.refused_of(campus, refusal);
        }
        let (status, reason) = (refusal.status().as_u16(), refusal.label());
        let campus_id = campus.map(tracing::field::display);
        let trace_id = trace.map(|trace| tracing::field::display(trace.id()));
        if refusal.status().is_server_error() {
            if let Some(left_out) = self.failed.line() {
                tracing::warn!(
                    status,
                    reason,
                    campus_id,
                    trace_id,
                    left_out,
                    "a webhook cannot be queued: its change waits for a reconciliation"
                );
            }
        } else if let Some(left_out) = self.refused.line() {
            tracing::info!(status, reason, campus_id, trace_id, left_out, "a webhook is refused");
        }
    }
}

/// The path of those that webhooks go to.
fn route(head: &Parts) -> Result<&'static str, Refusal> {
    // RFC 9112, 3.2: proxies that read another host of the two would be deceived.
    let hosts = head.headers.get_all(HOST).iter().count();
    if hosts > 1 || (hosts == 0 && head.version == Version::HTTP_11) {
        return Err(Refusal::BadRequest);
    }
    let path = head.uri.path();
    let path = PATHS.into_iter().find(|known| *known == path).ok_or(Refusal::NotFound)?;
    if head.method != Method::POST {
        return Err(Refusal::MethodNotAllowed);
    }
    Ok(path)
}
