//! One connection through a proxy, from its accept to its end.

use std::{
    future::pending,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
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

/// What a client says before it is known who it is: longer than what RabbitMQ is told at first.
const INTRODUCTION: usize = 4 * 1024;

/// What both directions of a connection know.
struct Known {
    /// What the client said first.
    introduction: Mutex<Vec<u8>>,
    /// Whether bytes of the client, and of the server, were thrown away.
    spoilt: [AtomicBool; 2],
    /// How many, of all connections.
    swallowed: Arc<AtomicU64>,
}

impl Known {
    fn hear(&self, piece: &[u8]) {
        let mut introduction = self.introduction.lock().unwrap_or_else(PoisonError::into_inner);
        let room = INTRODUCTION - introduction.len();
        introduction.extend_from_slice(&piece[..piece.len().min(room)]);
    }

    fn mode(&self, orders: &Orders, from: End) -> Mode {
        let introduction = self.introduction.lock().unwrap_or_else(PoisonError::into_inner);
        orders.mode_of(from, &introduction)
    }

    fn spoilt(&self, from: End) -> &AtomicBool {
        &self.spoilt[usize::from(from == End::Server)]
    }

    /// Whether bytes are lost of what is passed on again.
    fn has_a_gap(&self, orders: &Orders) -> bool {
        [End::Client, End::Server].into_iter().any(|from| {
            self.spoilt(from).load(Ordering::SeqCst) && self.mode(orders, from) != Mode::BlackHole
        })
    }
}

/// How a connection ends.
enum ConnectionEnd {
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
    swallowed: Arc<AtomicU64>,
) {
    let born = orders.borrow().clone();
    let Some(mut server) = reach(target, &mut orders).await else { return reset(&client) };
    client.set_nodelay(true).ok();
    server.set_nodelay(true).ok();
    let known = Known { introduction: Mutex::default(), spoilt: Default::default(), swallowed };
    let mut told = orders.clone();
    let fate = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let pass_on = async {
            tokio::try_join!(
                pass(End::Client, from_client, to_server, orders.clone(), &known),
                pass(End::Server, from_server, to_client, orders.clone(), &known),
            )
        };
        tokio::select! {
            _ = pass_on => ConnectionEnd::Over,
            fate = ordered(&mut told, &born, &known) => fate,
        }
    };
    match fate {
        ConnectionEnd::Over => {}
        ConnectionEnd::Reset => {
            reset(&client);
            reset(&server);
        }
        ConnectionEnd::Lost(End::Server) => {
            drop(server);
            swallow(client, orders).await;
        }
        ConnectionEnd::Lost(End::Client) => {
            drop(client);
            swallow(server, orders).await;
        }
    }
}

/// Connects to the target once the proxy passes anything on; none when it should not or cannot.
async fn reach(target: SocketAddr, orders: &mut watch::Receiver<Orders>) -> Option<TcpStream> {
    let decided = orders.wait_for(|orders| orders.mode_of_new() != Mode::Pause).await;
    let decided = decided.ok()?.mode_of_new();
    match decided {
        Mode::BlackHole => {
            orders.wait_for(|orders| orders.mode_of_new() != Mode::BlackHole).await.ok()?;
            None
        }
        Mode::Refuse => None,
        _ => TcpStream::connect(target).await.ok(),
    }
}

/// Passes on what one end sends, to its end.
async fn pass(
    end: End,
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut orders: watch::Receiver<Orders>,
    known: &Known,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    let spoilt = known.spoilt(end);
    loop {
        flowing(end, &mut orders, known).await;
        let length = from.read(&mut piece).await?;
        if end == End::Client {
            known.hear(&piece[..length]);
        }
        match flowing(end, &mut orders, known).await {
            // A gap in the bytes would be worse than their end, so from now on all are lost.
            Mode::BlackHole => {
                spoilt.store(true, Ordering::SeqCst);
                // It may be over this very moment, before `ordered` could know of the loss.
                if known.has_a_gap(&orders.borrow()) {
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
            }
            Mode::Latency(latency) => tokio::time::sleep(latency).await,
            _ => {}
        }
        match (spoilt.load(Ordering::SeqCst), length) {
            (true, 0) => pending().await,
            (true, _) => {
                known.swallowed.fetch_add(length as u64, Ordering::SeqCst);
            }
            (false, 0) => return to.shutdown().await,
            (false, _) => to.write_all(&piece[..length]).await?,
        }
    }
}

/// Waits while what the end sends is held back, and answers what is done with it then.
async fn flowing(from: End, orders: &mut watch::Receiver<Orders>, known: &Known) -> Mode {
    let decided = orders.wait_for(|orders| known.mode(orders, from) != Mode::Pause).await;
    let mode = decided.map(|orders| known.mode(&orders, from));
    match mode {
        Ok(mode) => mode,
        // The proxy is gone, and `ordered` ends this connection.
        Err(_) => pending().await,
    }
}

/// Waits until the orders end a connection that was born under `born`.
async fn ordered(
    orders: &mut watch::Receiver<Orders>,
    born: &Orders,
    known: &Known,
) -> ConnectionEnd {
    loop {
        let now = orders.borrow_and_update().clone();
        let refused = known.mode(&now, End::Client) == Mode::Refuse;
        if now.resets != born.resets || refused || known.has_a_gap(&now) {
            return ConnectionEnd::Reset;
        }
        if now.losses != born.losses {
            return ConnectionEnd::Lost(now.lost);
        }
        if orders.changed().await.is_err() {
            return ConnectionEnd::Reset;
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
