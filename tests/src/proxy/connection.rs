//! One connection through a proxy, from its accept to its end.

use std::{
    future::pending,
    io,
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
};

use super::orders::{End, Mode, Orders};

/// A piece that is passed on at once.
const PIECE: usize = 64 * 1024;

/// How a connection ends.
enum Fate {
    /// Both ends closed it, or one broke it.
    Over,
    /// It is broken for both ends.
    Reset,
    /// It is closed towards one end, and the other is not told.
    Lost(End),
}

/// Carries a connection until it ends.
pub(super) async fn carry(
    mut client: TcpStream,
    target: SocketAddr,
    mut orders: watch::Receiver<Orders>,
) {
    let born = *orders.borrow();
    let Some(mut server) = reach(target, &mut orders).await else { return reset(&client) };
    client.set_nodelay(true).ok();
    server.set_nodelay(true).ok();
    let spoilt = AtomicBool::new(false);
    let mut told = orders.clone();
    let fate = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let pass_on = async {
            tokio::try_join!(
                pass(from_client, to_server, orders.clone(), &spoilt),
                pass(from_server, to_client, orders.clone(), &spoilt),
            )
        };
        tokio::select! {
            _ = pass_on => Fate::Over,
            fate = ordered(&mut told, born, &spoilt) => fate,
        }
    };
    match fate {
        Fate::Over => {}
        Fate::Reset => {
            reset(&client);
            reset(&server);
        }
        Fate::Lost(End::Server) => {
            drop(server);
            swallow(client, orders).await;
        }
        Fate::Lost(End::Client) => {
            drop(client);
            swallow(server, orders).await;
        }
    }
}

/// Connects to the target once the proxy passes anything on; none when it should not or cannot.
async fn reach(target: SocketAddr, orders: &mut watch::Receiver<Orders>) -> Option<TcpStream> {
    let decided = orders.wait_for(|orders| orders.mode != Mode::Pause).await.ok()?.mode;
    match decided {
        Mode::BlackHole => {
            orders.wait_for(|orders| orders.mode != Mode::BlackHole).await.ok()?;
            None
        }
        Mode::Refuse => None,
        _ => TcpStream::connect(target).await.ok(),
    }
}

/// Passes one direction on, to its end.
async fn pass(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut orders: watch::Receiver<Orders>,
    spoilt: &AtomicBool,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        flowing(&mut orders).await;
        let length = from.read(&mut piece).await?;
        match flowing(&mut orders).await {
            // A gap in the bytes would be worse than their end, so from now on all are lost.
            Mode::BlackHole => {
                spoilt.store(true, Ordering::SeqCst);
                // It may be over this very moment, before `ordered` could know of the loss.
                if orders.borrow().mode != Mode::BlackHole {
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
            }
            Mode::Latency(latency) => tokio::time::sleep(latency).await,
            _ => {}
        }
        match (spoilt.load(Ordering::SeqCst), length) {
            (true, 0) => pending().await,
            (true, _) => {}
            (false, 0) => return to.shutdown().await,
            (false, _) => to.write_all(&piece[..length]).await?,
        }
    }
}

/// Waits while the proxy is paused, and answers what it does then.
async fn flowing(orders: &mut watch::Receiver<Orders>) -> Mode {
    let decided = orders.wait_for(|orders| orders.mode != Mode::Pause).await;
    let mode = decided.map(|orders| orders.mode);
    match mode {
        Ok(mode) => mode,
        // The proxy is gone, and `ordered` ends this connection.
        Err(_) => pending().await,
    }
}

/// Waits until the orders end a connection that was born under `born`.
async fn ordered(orders: &mut watch::Receiver<Orders>, born: Orders, spoilt: &AtomicBool) -> Fate {
    loop {
        let now = *orders.borrow_and_update();
        let hole_is_closed = spoilt.load(Ordering::SeqCst) && now.mode != Mode::BlackHole;
        if now.resets != born.resets || now.mode == Mode::Refuse || hole_is_closed {
            return Fate::Reset;
        }
        if now.losses != born.losses {
            return Fate::Lost(now.lost);
        }
        if orders.changed().await.is_err() {
            return Fate::Reset;
        }
    }
}

/// Takes what comes and throws it away, until the end closes or everything is reset.
async fn swallow(mut end: TcpStream, mut orders: watch::Receiver<Orders>) {
    let resets = orders.borrow().resets;
    let mut piece = vec![0; PIECE];
    loop {
        tokio::select! {
            read = end.read(&mut piece) => {
                if matches!(read, Ok(0) | Err(_)) {
                    return;
                }
            }
            told = orders.wait_for(|orders| orders.resets != resets) => {
                drop(told);
                return reset(&end);
            }
        }
    }
}

/// Makes the coming close of a socket a reset instead of an orderly end.
fn reset(stream: &TcpStream) {
    stream.set_zero_linger().ok();
}
