//! The public port: connections, and their orderly end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    intake::{
        connection_handler::ConnectionHandler,
        connections::{Connections, OpenConnection},
        tls::Tls,
    },
    metrics::Metrics,
    webhook::service::Service,
};

/// In a drain, how long the kernel is asked for connections that it has taken already.
const LAST_CONNECTIONS: Duration = Duration::from_millis(50);
/// In a drain, how long open connections may still begin a request: one may be on its way, and would be lost if its
/// connection closed at this instant.
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

impl Server {
    /// Serves until the shutdown, then until what is in flight is answered.
    pub(crate) async fn serve(self) {
        self.accept().await;
        self.accept_last().await;
        drop(self.listener);
        self.tasks.close();
        if timeout(LAST_REQUESTS, self.tasks.wait()).await.is_err() {
            self.connections.ask_to_end();
            if timeout(LAST_ANSWERS, self.tasks.wait()).await.is_err() {
                tracing::warn!(connections = self.tasks.len(), "connections are cut off");
            }
        }
    }

    /// Accepts connections until the shutdown.
    async fn accept(&self) {
        // The permit comes first: whoever is not accepted waits in the kernel, at no cost to us.
        while let Some(permit) = unless(&self.shutdown, self.connections.permit()).await.flatten() {
            match unless(&self.shutdown, self.listener.accept()).await {
                Some(Ok(accepted)) => self.handle(accepted, self.connections.open(permit)),
                // Out of files: others must close theirs first.
                Some(Err(error)) => {
                    tracing::warn!(%error, "a connection cannot be accepted");
                    sleep(Duration::from_millis(100)).await;
                }
                None => break,
            }
        }
    }

    /// Accepts those who already stand in the kernel's queue: closing it would cut them off.
    async fn accept_last(&self) {
        let last = Instant::now() + LAST_CONNECTIONS;
        while let Some(permit) = self.connections.try_permit()
            && let Ok(Ok(accepted)) = timeout_at(last, self.listener.accept()).await
        {
            self.handle(accepted, self.connections.open(permit));
        }
    }

    fn handle(&self, (stream, peer): (TcpStream, SocketAddr), connection: OpenConnection) {
        let (service, metrics) = (Arc::clone(&self.service), Arc::clone(&self.metrics));
        let handler = ConnectionHandler { peer: peer.ip(), service, metrics };
        let tls = self.tls.clone();
        self.tasks.spawn(async move { handler.handle(stream, tls, &connection.state).await });
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
