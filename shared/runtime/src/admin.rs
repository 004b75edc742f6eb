//! The admin port of every program: `/livez`, `/readyz`, `/metrics`.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, Response, StatusCode, body::Incoming, header, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{Health, metrics};

/// Serves health and metrics until it is told to stop.
pub struct AdminServer {
    /// The bound port, loopback by default: nothing here is for the public.
    pub listener: TcpListener,
    /// What `/readyz` answers from.
    pub health: Health,
}

impl AdminServer {
    /// Answers until `stop`. Health is asked for during the drain too, so `stop` is the very last
    /// step of a program, not its shutdown signal.
    pub async fn serve(self, stop: CancellationToken) {
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = self.listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else {
                // Out of file descriptors: give others time to close theirs.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let health = self.health.clone();
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(10))
                .serve_connection(
                    TokioIo::new(stream),
                    service_fn(move |request| {
                        let response = respond(&request, &health);
                        async move { Ok::<_, Infallible>(response) }
                    }),
                );
            // A probe that hangs up early is its own affair.
            tokio::spawn(async move { connection.await.ok() });
        }
    }
}

fn respond(request: &Request<Incoming>, health: &Health) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return json(
            StatusCode::METHOD_NOT_ALLOWED,
            &serde_json::json!({"detail": "Method Not Allowed"}),
        );
    }
    match request.uri().path() {
        "/livez" => json(StatusCode::OK, &serde_json::json!({"alive": true})),
        "/readyz" => readiness(health),
        "/metrics" => {
            let mut response = Response::new(Full::from(metrics::render()));
            response.headers_mut().insert(
                header::CONTENT_TYPE,
                header::HeaderValue::from_static(metrics::CONTENT_TYPE),
            );
            response
        }
        _ => json(StatusCode::NOT_FOUND, &serde_json::json!({"detail": "Not Found"})),
    }
}

fn readiness(health: &Health) -> Response<Full<Bytes>> {
    let reasons = health.reasons();
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json(status, &serde_json::json!({"ready": reasons.is_empty(), "reasons": reasons}))
}

fn json(status: StatusCode, body: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}
