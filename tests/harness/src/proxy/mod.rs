//! A TCP proxy that misbehaves on purpose: put between two programs, it shows them a network that
//! is slow, breaks, falls silent, or has forgotten one of them.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use std::time::Duration;
//! use harness::proxy::{End, Mode, Proxy, Scope};
//!
//! let proxy = Proxy::to(([127, 0, 0, 1], 5672).into()).await?;
//! proxy.set(Mode::Latency(Duration::from_millis(50)));
//! proxy.set(Mode::BlackHole);
//! proxy.set(Mode::Forward);
//! proxy.lose(End::Server);
//! // Acks are lost, and deliveries come.
//! proxy.set_for(Scope::sent_by(End::Client).named("worker"), Mode::BlackHole);
//! # Ok(())
//! # }
//! ```

mod connection;
mod front;
mod orders;
#[cfg(test)]
mod tests;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

pub use self::front::Front;
use self::orders::Orders;
pub use self::orders::{End, Mode, Scope};

/// A running proxy; dropping it breaks everything that goes through it.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    orders: watch::Sender<Orders>,
    swallowed: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Starts a proxy to `target` on a free loopback port. The target is only asked for when
    /// somebody connects, so it may go away and come back. To be called within a tokio runtime.
    pub async fn to(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let orders = watch::Sender::new(Orders::default());
        let swallowed = Arc::default();
        let accepting =
            tokio::spawn(accept(listener, target, orders.clone(), Arc::clone(&swallowed)));
        Ok(Self { address, orders, swallowed, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it does from now on, with the connections that are open and with new ones.
    pub fn set(&self, mode: Mode) {
        self.set_for(Scope::default(), mode);
    }

    /// What it does from now on with what `scope` covers; everything else is passed on.
    pub fn set_for(&self, scope: Scope, mode: Mode) {
        self.orders.send_modify(|orders| {
            orders.mode = mode;
            orders.scope = scope;
        });
    }

    /// What it does now.
    pub fn mode(&self) -> Mode {
        self.orders.borrow().mode
    }

    /// How many bytes it has thrown away in black holes.
    pub fn swallowed(&self) -> u64 {
        self.swallowed.load(Ordering::SeqCst)
    }

    /// Breaks every open connection: both ends get a reset.
    pub fn reset(&self) {
        self.orders.send_modify(|orders| orders.resets += 1);
    }

    /// Makes every open connection half-open: it is closed towards `end`, and the other end is not
    /// told; whatever that one sends is taken and thrown away, until it closes. New connections are
    /// good ones.
    pub fn lose(&self, end: End) {
        self.orders.send_modify(|orders| {
            orders.losses += 1;
            orders.lost = end;
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.reset();
    }
}

async fn accept(
    listener: TcpListener,
    target: SocketAddr,
    orders: watch::Sender<Orders>,
    swallowed: Arc<AtomicU64>,
) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                let swallowed = Arc::clone(&swallowed);
                tokio::spawn(connection::carry(client, target, orders.subscribe(), swallowed));
            }
            // No file descriptor is left, for the moment.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
        }
    }
}
