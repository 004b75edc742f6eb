//! The public port: connections, and their orderly end.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use public_port::Tls;
use tokio::{
    net::TcpStream,
    sync::OwnedSemaphorePermit,
    time::{Instant, interval, sleep, timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    intake::{
        connection_handler::ConnectionHandler, connections::Connections,
        public_socket::PublicSocket,
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
/// With a passed socket, how long the next gateway may have to wait for the last answers of this one: whoever is in the
/// kernel's queue meanwhile has a patience of 2 s in all.
const HAND_OVER: Duration = Duration::from_secs(1);
/// In a drain with a passed socket, how often it is looked whether the connections from before it have ended.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Accepts connections and serves webhooks on them.
pub(crate) struct Server {
    pub(crate) socket: PublicSocket,
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) service: Arc<Service>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) metrics: Arc<Metrics>,
    /// Open connections, a task each.
    pub(crate) tasks: TaskTracker,
    /// Ends the accepting, and begins the drain.
    pub(crate) shutdown: CancellationToken,
}

/// A connection, and its place.
struct Accepted {
    stream: TcpStream,
    peer: SocketAddr,
    permit: OwnedSemaphorePermit,
}

impl Server {
    /// Serves until the shutdown, then until what is in flight is answered.
    pub(crate) async fn serve(self) {
        self.accept().await;
        if self.socket.is_passed {
            return self.hand_over().await;
        }
        self.accept_last().await;
        drop(self.socket);
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
        while let Some(accepted) = unless(&self.shutdown, self.next()).await {
            self.take(accepted).await;
        }
    }

    /// The next connection. The permit comes first: whoever is not accepted waits in the kernel, at no cost to us.
    async fn next(&self) -> io::Result<Accepted> {
        let permit = self.connections.permit().await;
        let (stream, peer) = self.socket.listener.accept().await?;
        Ok(Accepted { stream, peer, permit })
    }

    async fn take(&self, accepted: io::Result<Accepted>) {
        match accepted {
            Ok(accepted) => self.handle(accepted),
            // Out of files: others must close theirs first.
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }

    /// Accepts those who already stand in the kernel's queue: closing it would cut them off.
    async fn accept_last(&self) {
        let last = Instant::now() + LAST_CONNECTIONS;
        while let Some(permit) = self.connections.try_permit()
            && let Ok(Ok((stream, peer))) = timeout_at(last, self.socket.listener.accept()).await
        {
            self.handle(Accepted { stream, peer, permit });
        }
    }

    /// Ends in such an order that nobody has to wait for long: while the connections from before the shutdown come to
    /// their end, which a slow body may delay, others are still accepted and served; then no more are, and those who come
    /// wait in the kernel's queue for the next gateway.
    async fn hand_over(self) {
        let (before, begun) = (self.connections.opened(), Instant::now());
        let mut looks = interval(LOOK_AGAIN);
        loop {
            tokio::select! {
                _ = looks.tick() => {
                    if begun.elapsed() >= LAST_ANSWERS || !self.connections.any_of_first(before) {
                        break;
                    }
                    if begun.elapsed() >= LAST_REQUESTS {
                        self.connections.ask_first_to_end(before);
                    }
                }
                accepted = self.next() => self.take(accepted).await,
            }
        }
        drop(self.socket);
        self.tasks.close();
        if timeout(HAND_OVER, self.tasks.wait()).await.is_err() {
            tracing::warn!(connections = self.tasks.len(), "connections are cut off");
        }
    }

    fn handle(&self, Accepted { stream, peer, permit }: Accepted) {
        let connection = self.connections.open(permit);
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
