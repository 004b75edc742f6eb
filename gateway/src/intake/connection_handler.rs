//! One connection: TLS where it is spoken, then requests, until the peer or we end it.

use std::{convert::Infallible, net::IpAddr, pin::pin, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use public_port::Tls;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{Instant, timeout},
};

use crate::{
    intake::{
        connection_state::ConnectionState, connections::READ_BUFFER_BYTES,
        timed_stream::TimedStream,
    },
    metrics::Metrics,
    webhook::{refusal::Refusal, service::Service},
};

const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// The most that a request's head may take: with ten thousand connections it is the largest part of the memory that no
/// budget bounds.
const HEAD_BYTES: usize = 16 * 1024;

/// Whose connection it is, and what serves it.
pub(crate) struct ConnectionHandler {
    pub(crate) peer: IpAddr,
    pub(crate) service: Arc<Service>,
    pub(crate) metrics: Arc<Metrics>,
}

impl ConnectionHandler {
    pub(crate) async fn handle(
        self,
        stream: TcpStream,
        tls: Option<Arc<Tls>>,
        state: &Arc<ConnectionState>,
    ) {
        self.metrics.connected();
        // Answers are one small write each; waiting to fill a packet would only delay them.
        stream.set_nodelay(true).ok();
        let Some(tls) = tls else { return self.serve(stream, state).await };
        state.waits(Instant::now());
        let agreed = tokio::select! {
            biased;
            agreed = timeout(HANDSHAKE_LIMIT, tls.acceptor().accept(stream)) => agreed,
            () = state.until_ending() => return self.metrics.tls_failed(),
        };
        state.works();
        match agreed {
            Ok(Ok(stream)) => self.serve(stream, state).await,
            Ok(Err(error)) => {
                self.metrics.tls_failed();
                tracing::debug!(%error, "no TLS with a sender");
            }
            Err(_) => self.metrics.tls_failed(),
        }
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
        self,
        stream: S,
        state: &Arc<ConnectionState>,
    ) {
        let stream = TimedStream::new(stream, Arc::clone(state));
        let (peer, service, taken) = (self.peer, Arc::clone(&self.service), Arc::clone(state));
        let connection =
            http1::Builder::new()
                // A sender may close its side once it has sent; it still gets its answer.
                .half_close(true)
                .max_buf_size(READ_BUFFER_BYTES)
                .max_header_size(HEAD_BYTES)
                .serve_connection(
                    TokioIo::new(stream),
                    service_fn(move |request| {
                        let in_flight = taken.begin_request();
                        let service = Arc::clone(&service);
                        async move {
                            Ok::<_, Infallible>(service.answer(request, peer, in_flight).await)
                        }
                    }),
                );
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            // Where its place is needed at once, whatever is waited for ends with an error.
            () = state.until_ending() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            if let Some(refusal) = answered_by_hyper(&error) {
                self.service.refusals.record_unread(refusal, peer);
            }
            // Mostly senders that hung up or kept us waiting.
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

/// The refusal of a head that hyper could not read: it answers that by itself, and then ends the connection.
fn answered_by_hyper(error: &hyper::Error) -> Option<Refusal> {
    if error.is_parse_too_large() {
        Some(Refusal::HeadTooLarge)
    } else if error.is_parse() && !error.is_parse_version_h2() {
        Some(Refusal::BadRequest)
    } else {
        None
    }
}
