//! What one request gets: a path, an answer, its place in logs and metrics.

use std::{net::IpAddr, sync::Arc, time::Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, Version,
    body::Incoming,
    header::{CONNECTION, HOST, HeaderValue},
    http::request::Parts,
};
use public_port::TrustedProxies;
use runtime::Trace;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    intake::{connection_state::InFlightGuard, timed_body::TimedBody},
    metrics::Metrics,
    webhook::{receive::Receiver, refusal::Refusal, refused::record::Refusals, reply, span},
};

/// Where webhooks go; the second is what newer FaithTrackers show.
const PATHS: [&str; 2] = ["/api/sync/webhook", "/sync/webhook"];

/// Answers requests.
pub(crate) struct Service {
    pub(crate) receiver: Receiver,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) proxies: TrustedProxies,
    pub(crate) refusals: Refusals,
    /// Once cancelled, every answer asks the sender to come back on a new connection.
    pub(crate) shutdown: CancellationToken,
}

impl Service {
    /// Answers one request. It is in flight until then, or until the rest of a body that is not wanted is read.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        peer: IpAddr,
        in_flight: InFlightGuard,
    ) -> Response<Full<Bytes>> {
        let started = Instant::now();
        let (head, body) = request.into_parts();
        let origin = self.proxies.origin(peer, &head.headers);
        let mut body = TimedBody::new(body, Arc::clone(in_flight.connection()));
        let (outcome, trace) = match route(&head) {
            Ok(path) => {
                let trace = Trace::of(span::begin(path, &head));
                let received = self.receiver.receive(&head.headers, origin, &mut body, &trace);
                let outcome = received.instrument(trace.span().clone()).await;
                span::end(&trace, &outcome);
                (outcome, Some(trace))
            }
            Err(refusal) => (Err(refusal.into()), None),
        };
        let outcome = outcome.map_err(|declined| {
            self.refusals.record(declined, origin, trace.as_ref());
            declined.refusal
        });
        if !body.has_ended() {
            tokio::spawn(body.discard(in_flight));
        }
        self.metrics.answered(reply::status(&outcome), started.elapsed());
        let mut response = reply::response(&outcome);
        if self.shutdown.is_cancelled() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
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
