//! A connection whose peer is not waited for without end.
//!
//! hyper has one timer for both a head that trickles and a connection that idles between
//! requests, and none for a peer that never reads. Proxies keep idle connections for a minute, so
//! the two need different limits. When places run short all end sooner: see `connections`.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

use crate::intake::connection_state::{ConnectionState, RequestPhase};

/// From the first byte of a request (of the first, from the connection's opening) to the end of
/// its headers.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// Between requests; beyond what proxies in front keep theirs open, so that it is they who close.
const IDLE_LIMIT: Duration = Duration::from_secs(75);
/// From an answer that cannot be written to giving its reader up.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// How often limits are looked at. Not longer than any of them: then the alarm never has to be
/// set earlier, and a request costs no change of timers.
const TICK: Duration = Duration::from_secs(1);

/// What the peer owes us, and since when.
#[derive(Clone, Copy)]
enum Owed {
    Request(Instant),
    RestOfHead(Instant),
}

impl Owed {
    fn since(self) -> Instant {
        let (Self::Request(since) | Self::RestOfHead(since)) = self;
        since
    }

    fn deadline(self) -> Instant {
        match self {
            Self::Request(since) => since + IDLE_LIMIT,
            Self::RestOfHead(since) => since + HEAD_LIMIT,
        }
    }
}

/// A stream whose reads and writes end with an error when the peer takes too long.
pub(crate) struct TimedStream<S> {
    stream: S,
    state: Arc<ConnectionState>,
    seen: RequestPhase,
    owed: Owed,
    write_waits_since: Option<Instant>,
    alarm: Pin<Box<Sleep>>,
}

impl<S> TimedStream<S> {
    pub(crate) fn new(stream: S, state: Arc<ConnectionState>) -> Self {
        Self {
            stream,
            state,
            seen: RequestPhase::BEFORE_FIRST,
            owed: Owed::RestOfHead(Instant::now()),
            write_waits_since: None,
            alarm: Box::pin(sleep(TICK)),
        }
    }

    fn note_phase(&mut self) {
        let turns = self.state.phase();
        if turns != self.seen {
            self.seen = turns;
            self.owed = Owed::Request(Instant::now());
        }
    }

    fn deadline(&self) -> Option<Instant> {
        // While a request is in flight the peer owes us the body at most, and that has limits of its own.
        let owed = (!self.seen.is_in_flight()).then(|| self.owed.deadline());
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

    /// The same for what the peer owes since then, unless the place is needed for others.
    fn wait_since<T>(&mut self, since: Instant, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        self.state.waits(since);
        if self.state.is_cut() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        self.wait(context)
    }

    fn after_write<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            if self.write_waits_since.take().is_some() {
                self.state.works();
            }
            return written;
        }
        let since = *self.write_waits_since.get_or_insert_with(Instant::now);
        self.wait_since(since, context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TimedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.note_phase();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_pending() {
            if self.seen.is_in_flight() {
                return self.wait(context);
            }
            let since = self.owed.since();
            return self.wait_since(since, context);
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

    fn timed() -> (TimedStream<DuplexStream>, DuplexStream, Arc<ConnectionState>) {
        let (in_flight, theirs) = duplex(16);
        let state = ConnectionState::new();
        (TimedStream::new(in_flight, Arc::clone(&state)), theirs, state)
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
        let (mut stream, mut peer, _state) = timed();
        tokio::spawn(async move {
            while peer.write_u8(b'P').await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        });
        assert_eq!(seconds_until_given_up(&mut stream).await, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn between_requests_there_is_more_time_but_not_within_one() {
        let (mut stream, mut peer, state) = timed();
        peer.write_u8(b'P').await.unwrap();
        stream.read_u8().await.unwrap();
        drop(state.begin_request());
        let idle = seconds_until_given_up(&mut stream).await;
        assert_eq!(idle, 75);

        let (mut stream, mut peer, state) = timed();
        peer.write_u8(b'P').await.unwrap();
        stream.read_u8().await.unwrap();
        drop(state.begin_request());
        tokio::spawn(async move {
            sleep(Duration::from_secs(20)).await;
            peer.write_u8(b'P').await.unwrap();
            sleep(Duration::from_secs(100)).await;
        });
        assert_eq!(seconds_until_given_up(&mut stream).await, 30);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_peer_owes_is_known_and_a_cut_ends_the_waiting_for_it() {
        let (mut stream, mut peer, state) = timed();
        assert_eq!(state.waiting_since(), None);
        peer.write_u8(b'P').await.unwrap();
        let reading = tokio::spawn(async move { seconds_until_given_up(&mut stream).await });
        sleep(Duration::from_secs(3)).await;
        assert_eq!(state.waiting_since().unwrap().elapsed().as_secs(), 3);
        state.cut();
        // In the gateway it is the cut that wakes the connection; here it is the next byte.
        peer.write_u8(b'P').await.unwrap();
        assert_eq!(reading.await.unwrap(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_in_flight_is_not_timed() {
        let (mut stream, mut peer, state) = timed();
        let in_flight = state.begin_request();
        tokio::spawn(async move {
            sleep(Duration::from_mins(5)).await;
            peer.write_u8(b'P').await.unwrap();
        });
        assert_eq!(stream.read_u8().await.unwrap(), b'P');
        drop(in_flight);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_read_is_given_up() {
        let (mut stream, _peer, state) = timed();
        let _ours = state.begin_request();
        let start = Instant::now();
        let error = stream.write_all(&[0; 100]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(start.elapsed().as_secs(), 10);
    }
}
