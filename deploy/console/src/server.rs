//! The port for browsers: connections, and their orderly end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, extract::ConnectInfo, http::Request};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use public_port::Tls;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Connections at once; who comes then waits in the kernel.
const CONNECTIONS: usize = 512;
/// How long a greeting may take, and the head of a request; idle connections are closed after as long.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// Browsers send short heads.
const MOST_HEAD_BYTES: usize = 32 * 1024;
/// In a drain, how long requests may take to be answered.
const LAST_ANSWERS: Duration = Duration::from_secs(12);

/// Accepts connections and answers on them.
pub(crate) struct Server {
    pub(crate) listener: TcpListener,
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) routes: Router,
    pub(crate) shutdown: CancellationToken,
}

impl Server {
    /// Serves until the shutdown, then until what is under way is answered.
    pub(crate) async fn serve(self) {
        let (places, tasks) = (Arc::new(Semaphore::new(CONNECTIONS)), TaskTracker::new());
        while let Some(accepted) = self.shutdown.run_until_cancelled(self.next(&places)).await {
            match accepted {
                Ok((stream, peer, place)) => {
                    let (tls, routes) = (self.tls.clone(), self.routes.clone());
                    let shutdown = self.shutdown.clone();
                    tasks.spawn(async move {
                        handle(stream, peer, tls, routes, shutdown).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection cannot be accepted");
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop(self.listener);
        tasks.close();
        if timeout(LAST_ANSWERS, tasks.wait()).await.is_err() {
            tracing::warn!(connections = tasks.len(), "connections are cut off");
        }
    }

    async fn next(
        &self,
        places: &Arc<Semaphore>,
    ) -> std::io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        let place = Arc::clone(places).acquire_owned().await.map_err(std::io::Error::other)?;
        let (stream, peer) = self.listener.accept().await?;
        Ok((stream, peer, place))
    }
}

async fn handle(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<Arc<Tls>>,
    routes: Router,
    shutdown: CancellationToken,
) {
    stream.set_nodelay(true).ok();
    let Some(tls) = tls else { return answer(stream, peer, routes, shutdown).await };
    // Who does not get through the greeting is told so by TLS itself.
    if let Ok(Ok(stream)) = timeout(HEAD_LIMIT, tls.acceptor().accept(stream)).await {
        answer(stream, peer, routes, shutdown).await;
    }
}

async fn answer(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    peer: SocketAddr,
    routes: Router,
    shutdown: CancellationToken,
) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let mut routes = routes.clone();
        async move { tower_service::Service::call(&mut routes, request).await }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_buf_size(MOST_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "a connection broke off");
    }
}
