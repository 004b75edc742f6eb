//! The reference for the gateway: hyper, HMAC and lapin with confirms, and nothing else. It looks
//! up no campus, reads no field, has no limits, metrics, traces or drain, and does not survive a
//! lost connection.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use clap::Args;
use harness::SIGNATURE_HEADER;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, StatusCode, body::Bytes, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use sha2::Sha256;
use tokio::net::TcpListener;

/// As many as the gateway has.
const CHANNELS: usize = 4;
/// What is published of a body: as much as an envelope of the gateway has.
const MESSAGE_BYTES: usize = 330;

/// Where the reference program listens, and what it publishes to.
#[derive(Debug, Args)]
pub(crate) struct Bare {
    /// Address to listen on
    #[arg(long)]
    listen: SocketAddr,
    /// URL of the broker
    #[arg(long)]
    amqp: String,
    /// Queue to publish to
    #[arg(long)]
    queue: String,
    /// What webhooks are signed with
    #[arg(long)]
    secret: String,
}

struct Shared {
    channels: Vec<Channel>,
    next: AtomicUsize,
    queue: String,
    secret: String,
}

pub(crate) async fn serve(bare: Bare) {
    let connection =
        Connection::connect(&bare.amqp, ConnectionProperties::default()).await.unwrap();
    let mut channels = Vec::new();
    for _ in 0..CHANNELS {
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        channels.push(channel);
    }
    let shared = Arc::new(Shared {
        channels,
        next: AtomicUsize::new(0),
        queue: bare.queue,
        secret: bare.secret,
    });
    let listener = TcpListener::bind(bare.listen).await.unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let answer = service_fn(|request| shared.answer(request));
            let http = hyper::server::conn::http1::Builder::new();
            http.serve_connection(TokioIo::new(stream), answer).await.ok();
        });
    }
}

impl Shared {
    async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap_or_default().to_bytes();
        let signature = head.headers.get(SIGNATURE_HEADER).and_then(|hex| hex::decode(hex).ok());
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).unwrap();
        mac.update(&body);
        if signature.is_none_or(|signature| mac.verify_slice(&signature).is_err()) {
            return Ok(respond(StatusCode::UNAUTHORIZED));
        }
        let channel = &self.channels[self.next.fetch_add(1, Ordering::Relaxed) % CHANNELS];
        let message = &body[..body.len().min(MESSAGE_BYTES)];
        let confirmed = channel
            .basic_publish(
                "".into(),
                self.queue.as_str().into(),
                BasicPublishOptions::default(),
                message,
                BasicProperties::default().with_delivery_mode(2),
            )
            .await
            .unwrap()
            .await
            .unwrap();
        Ok(respond(if confirmed.is_ack() {
            StatusCode::ACCEPTED
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        }))
    }
}

fn respond(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(r#"{"success":true}"#));
    *response.status_mut() = status;
    response
}
