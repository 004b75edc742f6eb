//! A connection that is not waited for without end.
//!
//! hyper has one timer for both a head that trickles and a connection that idles between
//! requests, and none for a peer that never reads. Proxies keep idle connections for a minute, so
//! the two need different limits, and idle ones must make room when connections run short.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

use crate::connections::Connections;

/// From the first byte of a request (of the first, from the connection's opening) to the end of
/// its headers.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// The same when connections run short: who connects and says nothing keeps others out.
const CROWDED_HEAD_LIMIT: Duration = Duration::from_secs(2);
/// Between requests; beyond what proxies in front keep theirs open, so that it is they who close.
const IDLE_LIMIT: Duration = Duration::from_secs(75);
/// Between requests, when connections run short: with it, room is made before a sender that waits
/// for some gives up, after 2 s.
const CROWDED_IDLE_LIMIT: Duration = Duration::from_secs(1);
/// From an answer that cannot be written to giving its reader up.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// How often limits are looked at. Not longer than any of them: then the alarm never has to be
/// set earlier, and a request costs no change of timers.
const TICK: Duration = Duration::from_secs(1);

/// Whose turn it is: even, the peer's to send a request; odd, ours to answer it. It only counts
/// up, so the stream sees turns that began and ended between two of its reads.
#[derive(Default)]
pub(crate) struct Turn(AtomicU32);

/// Our turn, until it is dropped.
pub(crate) struct OurTurn(Arc<Turn>);

impl Turn {
    /// A request has arrived; bodies have limits of their own.
    pub(crate) fn ours(self: &Arc<Self>) -> OurTurn {
        self.0.fetch_add(1, Ordering::Relaxed);
        OurTurn(Arc::clone(self))
    }
}

impl Drop for OurTurn {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// What the peer owes us, and since when.
#[derive(Clone, Copy)]
enum Owed {
    Request(Instant),
    RestOfHead(Instant),
}

/// A stream whose reads and writes end with an error when the peer takes too long.
pub(crate) struct TimedStream<S> {
    stream: S,
    connections: Arc<Connections>,
    turn: Arc<Turn>,
    seen_turn: u32,
    owed: Owed,
    write_waits_since: Option<Instant>,
    alarm: Pin<Box<Sleep>>,
}

impl<S> TimedStream<S> {
    pub(crate) fn new(stream: S, turn: Arc<Turn>, connections: Arc<Connections>) -> Self {
        Self {
            stream,
            connections,
            turn,
            seen_turn: 0,
            owed: Owed::RestOfHead(Instant::now()),
            write_waits_since: None,
            alarm: Box::pin(sleep(TICK)),
        }
    }

    fn note_turn(&mut self) {
        let turn = self.turn.0.load(Ordering::Relaxed);
        if turn != self.seen_turn {
            self.seen_turn = turn;
            self.owed = Owed::Request(Instant::now());
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let owed = match self.owed {
            _ if self.seen_turn % 2 == 1 => None,
            Owed::RestOfHead(since) if self.connections.is_crowded() => {
                Some(since + CROWDED_HEAD_LIMIT)
            }
            Owed::RestOfHead(since) => Some(since + HEAD_LIMIT),
            Owed::Request(since) if self.connections.is_crowded() => {
                Some(since + CROWDED_IDLE_LIMIT)
            }
            Owed::Request(since) => Some(since + IDLE_LIMIT),
        };
        let write = self.write_waits_since.map(|since| since + WRITE_LIMIT);
        owed.into_iter().chain(write).min()
    }

    /// Pending until the deadline, then an error.
    fn wait<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        loop {
            ready!(self.alarm.as_mut().poll(context));
            let now = Instant::now();
            let deadline = self.deadline();
            if deadline.is_some_and(|deadline| deadline <= now) {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            let next = now + TICK;
            self.alarm.as_mut().reset(deadline.map_or(next, |deadline| deadline.min(next)));
        }
    }

    fn after_write<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write_waits_since = None;
            return written;
        }
        self.write_waits_since.get_or_insert_with(Instant::now);
        self.wait(context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TimedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.note_turn();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_pending() {
            return self.wait(context);
        }
        if let Owed::Request(_) = self.owed {
            self.owed = Owed::RestOfHead(Instant::now());
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TimedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.after_write(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.after_write(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.after_write(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.after_write(shut, context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    fn timed() -> (TimedStream<DuplexStream>, DuplexStream, Arc<Turn>) {
        let (ours, theirs) = duplex(16);
        let turn = Arc::new(Turn::default());
        let connections = Arc::new(Connections::new());
        (TimedStream::new(ours, Arc::clone(&turn), connections), theirs, turn)
    }

    async fn seconds_until_given_up(stream: &mut TimedStream<DuplexStream>) -> u64 {
        let start = Instant::now();
        loop {
            match stream.read_u8().await {
                Ok(_) => {}
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
                    return start.elapsed().as_secs();
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_head_has_ten_seconds_however_it_trickles() {
        let (mut stream, mut peer, _turn) = timed();
        tokio::spawn(async move {
            while peer.write_u8(b'P').await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        });
        assert_eq!(seconds_until_given_up(&mut stream).await, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn between_requests_there_is_more_time_but_not_within_one() {
        let (mut stream, mut peer, turn) = timed();
        peer.write_u8(b'P').await.unwrap();
        stream.read_u8().await.unwrap();
        drop(turn.ours());
        let idle = seconds_until_given_up(&mut stream).await;
        assert_eq!(idle, 75);

        let (mut stream, mut peer, turn) = timed();
        peer.write_u8(b'P').await.unwrap();
        stream.read_u8().await.unwrap();
        drop(turn.ours());
        tokio::spawn(async move {
            sleep(Duration::from_secs(20)).await;
            peer.write_u8(b'P').await.unwrap();
            sleep(Duration::from_secs(100)).await;
        });
        assert_eq!(seconds_until_given_up(&mut stream).await, 30);
    }

    #[tokio::test(start_paused = true)]
    async fn our_own_turn_is_not_timed() {
        let (mut stream, mut peer, turn) = timed();
        let ours = turn.ours();
        tokio::spawn(async move {
            sleep(Duration::from_mins(5)).await;
            peer.write_u8(b'P').await.unwrap();
        });
        assert_eq!(stream.read_u8().await.unwrap(), b'P');
        drop(ours);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_read_is_given_up() {
        let (mut stream, _peer, turn) = timed();
        let _ours = turn.ours();
        let start = Instant::now();
        let error = stream.write_all(&[0; 100]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(start.elapsed().as_secs(), 10);
    }
}
