//! A collector of traces: takes spans by OTLP over HTTP, as a real one does, and keeps them to be
//! read.

mod span;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{AUTHORIZATION, CONTENT_TYPE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use tokio::{net::TcpListener, task::JoinHandle};

pub use self::span::{CollectedSpan, Kind, Link};

const PROTOBUF: &str = "application/x-protobuf";

/// A running collector; it ends when it is dropped.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
    accepting: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Kept {
    spans: Vec<CollectedSpan>,
    authorizations: Vec<String>,
}

impl Collector {
    /// Starts one on a free loopback port.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let kept = Arc::<Mutex<Kept>>::default();
        let accepting = tokio::spawn(accept(listener, Arc::clone(&kept)));
        Ok(Self { address, kept, accepting })
    }

    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` is set to.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All spans that came.
    pub fn spans(&self) -> Vec<CollectedSpan> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).spans.clone()
    }

    /// The spans of one trace.
    pub fn trace(&self, id: &str) -> Vec<CollectedSpan> {
        let mut spans = self.spans();
        spans.retain(|span| span.trace_id == id);
        spans
    }

    /// The `Authorization` headers of all requests that had one.
    pub fn authorizations(&self) -> Vec<String> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).authorizations.clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, kept: Arc<Mutex<Kept>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let kept = Arc::clone(&kept);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let kept = Arc::clone(&kept);
                async move { take(request, &kept).await }
            });
            // An error is the exporter's going away.
            http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
        });
    }
}

async fn take(
    request: Request<Incoming>,
    kept: &Mutex<Kept>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let is_export = request.method() == Method::POST
        && request.uri().path() == "/v1/traces"
        && request.headers().get(CONTENT_TYPE).is_some_and(|value| value == PROTOBUF);
    let authorization = request.headers().get(AUTHORIZATION).cloned();
    let body = request.into_body().collect().await?.to_bytes();
    let Some(export) = ExportTraceServiceRequest::decode(body).ok().filter(|_| is_export) else {
        let mut refusal = Response::new(Full::default());
        *refusal.status_mut() = StatusCode::BAD_REQUEST;
        return Ok(refusal);
    };
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    kept.spans.extend(span::all(export));
    kept.authorizations
        .extend(authorization.and_then(|value| Some(value.to_str().ok()?.to_owned())));
    let answer = ExportTraceServiceResponse::default().encode_to_vec();
    let mut response = Response::new(Full::from(answer));
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(PROTOBUF));
    Ok(response)
}
