//! What one request gets: a path, an answer, its place in logs and metrics.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response,
    body::{Body, Incoming},
    header::{CONNECTION, HeaderValue},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    Refusal, body,
    metrics::Metrics,
    receive::{self, Receiver},
    reply::{self, Accepted},
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
        let outcome = match route(&head.method, head.uri.path()) {
            Ok(()) => {
                let received = self.receiver.receive(&head.headers, &mut body);
                received.instrument(receive::span()).await
            }
            Err(refusal) => Err(refusal),
        };
        if !body.is_end_stream() {
            tokio::spawn(body::discard(body));
        }
        self.metrics.answered(reply::status(&outcome), started.elapsed());
        self.report(&outcome);
        let mut response = reply::response(&outcome);
        if self.shutdown.is_cancelled() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    fn report(&self, outcome: &Result<Accepted, Refusal>) {
        let Err(refusal) = *outcome else { return };
        self.metrics.refused(refusal);
        let (status, reason) = (refusal.status().as_u16(), refusal.label());
        if refusal.status().is_server_error() {
            if let Some(left_out) = self.failed.line() {
                tracing::warn!(status, reason, left_out, "webhooks cannot be queued");
            }
        } else if let Some(left_out) = self.refused.line() {
            tracing::info!(status, reason, left_out, "refused");
        }
    }
}

fn route(method: &Method, path: &str) -> Result<(), Refusal> {
    if !PATHS.contains(&path) {
        return Err(Refusal::NotFound);
    }
    if method != Method::POST {
        return Err(Refusal::MethodNotAllowed);
    }
    Ok(())
}
