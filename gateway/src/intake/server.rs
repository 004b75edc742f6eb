//! The public port: connections, and their orderly end.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    intake::{
        connection_state::Seat,
        connections::{Connections, Place, READ_BUFFER_BYTES},
        timed_stream::TimedStream,
        tls::Tls,
    },
    metrics::Metrics,
    webhook::{refusal::Refusal, service::Service},
};

const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// The most that a request's head may take: with ten thousand connections it is the largest part of
/// the memory that no budget bounds.
const HEAD_BYTES: usize = 16 * 1024;
/// In a drain, how long the kernel is asked for connections that it has taken already.
const LAST_CONNECTIONS: Duration = Duration::from_millis(50);
/// In a drain, how long open connections may still begin a request: one may be on its way, and
/// would be lost if its connection closed at this instant.
const LAST_REQUESTS: Duration = Duration::from_secs(1);
/// In a drain, how long requests may take to be answered; the whole drain has 25 s.
const LAST_ANSWERS: Duration = Duration::from_secs(18);

/// Accepts connections and serves webhooks on them.
pub(crate) struct Server {
    pub(crate) listener: TcpListener,
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) service: Arc<Service>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) metrics: Arc<Metrics>,
    /// Open connections, a task each.
    pub(crate) tasks: TaskTracker,
    /// Ends the accepting, and begins the drain.
    pub(crate) shutdown: CancellationToken,
}

/// Who a connection is of, and what serves it.
struct Guest {
    peer: IpAddr,
    service: Arc<Service>,
    metrics: Arc<Metrics>,
}

impl Server {
    /// Serves until the shutdown, then until what is in flight is answered.
    pub(crate) async fn serve(self) {
        let tasks = self.tasks;
        let admit = |(stream, peer): (TcpStream, SocketAddr), place: Place| {
            let (service, metrics) = (Arc::clone(&self.service), Arc::clone(&self.metrics));
            let (guest, tls) = (Guest { peer: peer.ip(), service, metrics }, self.tls.clone());
            tasks.spawn(async move { guest.greet(stream, tls, &place.seat).await });
        };
        // The permit comes first: whoever is not accepted waits in the kernel, at no cost to us.
        while let Some(permit) = unless(&self.shutdown, self.connections.permit()).await.flatten() {
            match unless(&self.shutdown, self.listener.accept()).await {
                Some(Ok(accepted)) => admit(accepted, self.connections.open(permit)),
                // Out of files: others must close theirs first.
                Some(Err(error)) => {
                    tracing::warn!(%error, "a connection cannot be accepted");
                    sleep(Duration::from_millis(100)).await;
                }
                None => break,
            }
        }

        // Those who already stand in the kernel's queue would be cut off by closing it.
        let last = Instant::now() + LAST_CONNECTIONS;
        while let Some(permit) = self.connections.try_permit()
            && let Ok(Ok(accepted)) = timeout_at(last, self.listener.accept()).await
        {
            admit(accepted, self.connections.open(permit));
        }
        drop(self.listener);
        tasks.close();
        if timeout(LAST_REQUESTS, tasks.wait()).await.is_err() {
            self.connections.leave();
            if timeout(LAST_ANSWERS, tasks.wait()).await.is_err() {
                tracing::warn!(connections = tasks.len(), "connections are cut off");
            }
        }
    }
}

/// The future's value, or none after the shutdown.
async fn unless<F: Future>(shutdown: &CancellationToken, future: F) -> Option<F::Output> {
    tokio::select! {
        biased;
        () = shutdown.cancelled() => None,
        value = future => Some(value),
    }
}

impl Guest {
    async fn greet(self, stream: TcpStream, tls: Option<Arc<Tls>>, seat: &Arc<Seat>) {
        self.metrics.connected();
        // Answers are one small write each; waiting to fill a packet would only delay them.
        stream.set_nodelay(true).ok();
        let Some(tls) = tls else { return self.serve(stream, seat).await };
        seat.waits(Instant::now());
        let agreed = tokio::select! {
            biased;
            agreed = timeout(HANDSHAKE_LIMIT, tls.acceptor().accept(stream)) => agreed,
            () = seat.until_told() => return self.metrics.tls_failed(),
        };
        seat.works();
        match agreed {
            Ok(Ok(stream)) => self.serve(stream, seat).await,
            Ok(Err(error)) => {
                self.metrics.tls_failed();
                tracing::debug!(%error, "no TLS with a sender");
            }
            Err(_) => self.metrics.tls_failed(),
        }
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(self, stream: S, seat: &Arc<Seat>) {
        let stream = TimedStream::new(stream, Arc::clone(seat));
        let (peer, service, taken) = (self.peer, Arc::clone(&self.service), Arc::clone(seat));
        let connection = http1::Builder::new()
            // A sender may close its side once it has sent; it still gets its answer.
            .half_close(true)
            .max_buf_size(READ_BUFFER_BYTES)
            .max_header_size(HEAD_BYTES)
            .serve_connection(
                TokioIo::new(stream),
                service_fn(move |request| {
                    let ours = taken.ours();
                    let service = Arc::clone(&service);
                    async move { Ok::<_, Infallible>(service.answer(request, peer, ours).await) }
                }),
            );
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            // Where its place is needed at once, whatever is waited for ends with an error.
            () = seat.until_told() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            if let Some(refusal) = answered_by_hyper(&error) {
                self.service.reports.refused_unread(refusal, peer);
            }
            // Mostly senders that hung up or kept us waiting.
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

/// The refusal of a head that hyper could not read: it answers that by itself, and then ends the
/// connection.
fn answered_by_hyper(error: &hyper::Error) -> Option<Refusal> {
    if error.is_parse_too_large() {
        Some(Refusal::HeadTooLarge)
    } else if error.is_parse() && !error.is_parse_version_h2() {
        Some(Refusal::BadRequest)
    } else {
        None
    }
}
