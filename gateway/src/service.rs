//! What one request gets: a path, an answer, its place in logs and metrics.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response,
    body::{Body, Incoming},
    header::{CONNECTION, HeaderValue},
};
use runtime::Trace;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    Refusal, body,
    metrics::Metrics,
    receive::Receiver,
    refusal::Declined,
    reply::{self, Accepted},
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
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let started = Instant::now();
        let (head, mut body) = request.into_parts();
        let (outcome, trace) = match route(&head.method, head.uri.path()) {
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
        if !body.is_end_stream() {
            tokio::spawn(body::discard(body));
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
fn route(method: &Method, path: &str) -> Result<&'static str, Refusal> {
    let path = PATHS.into_iter().find(|known| *known == path).ok_or(Refusal::NotFound)?;
    if method != Method::POST {
        return Err(Refusal::MethodNotAllowed);
    }
    Ok(path)
}
