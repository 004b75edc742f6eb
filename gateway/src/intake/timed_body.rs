//! A body on its way in: piece by piece, bounded in time.

use std::{future::poll_fn, pin::Pin, sync::Arc, task::Poll, time::Duration};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use tokio::time::{Instant, sleep_until, timeout};

use crate::{
    intake::connection_state::{ConnectionState, InFlightGuard},
    webhook::refusal::Refusal,
};

/// A body of which nothing arrives for so long has stalled.
const STALL_LIMIT: Duration = Duration::from_secs(10);
/// A body as a whole takes no longer: a sender that trickles holds memory and a connection.
const TOTAL_LIMIT: Duration = Duration::from_mins(1);
/// How long the rest of a body is read after an early answer. Closing at once would reset the
/// connection, and the answer could be lost before the sender has read it.
const DISCARD_LIMIT: Duration = Duration::from_secs(1);
/// Bytes a second that any line carries: a body that comes more slowly keeps us waiting.
const PACE: u32 = 16 * 1024;

/// A body, and the connection that it comes on.
pub(crate) struct TimedBody<B> {
    body: B,
    state: Arc<ConnectionState>,
    /// None as long as everything was there when it was asked for.
    pace: Option<Pace>,
    received: usize,
}

struct Pace {
    deadline: Instant,
    /// Since when the body is behind what [`PACE`] allows.
    behind_since: Instant,
}

impl<B: Body<Data = Bytes> + Unpin> TimedBody<B> {
    pub(crate) fn new(body: B, state: Arc<ConnectionState>) -> Self {
        Self { body, state, pace: None, received: 0 }
    }

    /// The next bytes; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        loop {
            let body = &mut self.body;
            // What has arrived already costs no look at the clock.
            let ready = poll_fn(|context| Poll::Ready(Pin::new(&mut *body).poll_frame(context)));
            let frame = match ready.await {
                Poll::Ready(frame) => frame,
                Poll::Pending => self.wait().await?,
            };
            match frame {
                None => return Ok(None),
                // Broken off, or chunks that are none: whatever it is, it is not a JSON object.
                Some(Err(_)) => return Err(Refusal::InvalidJson),
                Some(Ok(frame)) => {
                    // Trailers are not data.
                    if let Ok(bytes) = frame.into_data() {
                        self.note(bytes.len());
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }

    async fn wait(&mut self) -> Result<Option<Result<Frame<Bytes>, B::Error>>, Refusal> {
        let now = Instant::now();
        let pace = self.pace.get_or_insert(Pace { deadline: now + TOTAL_LIMIT, behind_since: now });
        // Nobody gets ahead of the pace, to rest on it later.
        pace.behind_since = pace.behind_since.min(now);
        let limit = pace.deadline.min(now + STALL_LIMIT);
        self.state.waits_for_body(pace.behind_since, self.received);
        let frame = tokio::select! {
            biased;
            frame = self.body.frame() => Ok(frame),
            () = self.state.until_cut() => Err(Refusal::SlowBody),
            () = sleep_until(limit) => Err(Refusal::SlowBody),
        };
        self.state.works_on_body();
        frame
    }

    fn note(&mut self, bytes: usize) {
        self.received += bytes;
        if let Some(pace) = &mut self.pace {
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            pace.behind_since += Duration::from_secs(1) * bytes / PACE;
        }
    }

    /// Whether nothing more comes.
    pub(crate) fn has_ended(&self) -> bool {
        self.body.is_end_stream()
    }

    /// The bytes that are still to come at least.
    pub(crate) fn announced(&self) -> u64 {
        self.body.size_hint().lower()
    }

    /// The bytes that are still to come, where that is known.
    pub(crate) fn rest(&self) -> Option<u64> {
        self.body.size_hint().exact()
    }

    /// Reads on after an early answer and throws away what comes (rule gateway-6); the request is in flight until then.
    pub(crate) async fn discard(mut self, in_flight: InFlightGuard) {
        let rest = async { while let Ok(Some(_)) = self.next().await {} };
        timeout(DISCARD_LIMIT, rest).await.ok();
        drop(in_flight);
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::channel::{Channel, Sender};

    use super::*;

    fn timed() -> (Sender<Bytes>, TimedBody<Channel<Bytes>>, Arc<ConnectionState>) {
        let (sender, body) = Channel::<Bytes>::new(8);
        let state = ConnectionState::new();
        (sender, TimedBody::new(body, Arc::clone(&state)), state)
    }

    async fn to_its_end(body: &mut TimedBody<Channel<Bytes>>) -> Result<(), Refusal> {
        while body.next().await?.is_some() {}
        Ok(())
    }

    fn trickle(mut sender: Sender<Bytes>, bytes: usize, every: Duration) {
        tokio::spawn(async move {
            while sender.send_data(Bytes::from(vec![b' '; bytes])).await.is_ok() {
                tokio::time::sleep(every).await;
            }
        });
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_body_is_given_up_after_ten_seconds() {
        let (mut sender, mut body, _state) = timed();
        sender.send_data(Bytes::from_static(b"{")).await.unwrap();
        let start = Instant::now();
        assert_eq!(to_its_end(&mut body).await, Err(Refusal::SlowBody));
        assert_eq!(start.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_trickling_body_is_given_up_after_a_minute() {
        let (sender, mut body, _state) = timed();
        trickle(sender, 1, Duration::from_secs(9));
        let start = Instant::now();
        assert_eq!(to_its_end(&mut body).await, Err(Refusal::SlowBody));
        assert_eq!(start.elapsed().as_secs(), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_trickles_keeps_us_waiting_from_its_beginning_and_one_that_flows_does_not()
    {
        for (bytes, seconds) in [(1, 5), (20 * 1024, 0)] {
            let (sender, mut body, state) = timed();
            trickle(sender, bytes, Duration::from_secs(1));
            tokio::spawn(async move { to_its_end(&mut body).await });
            tokio::time::sleep(Duration::from_millis(5_500)).await;
            let waited = state.waiting_since().unwrap().elapsed();
            assert_eq!(waited.as_secs(), seconds, "{waited:?}");
            assert!(state.body_bytes() >= 5 * bytes);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_whose_connection_is_cut_is_given_up_at_once() {
        let (_sender, mut body, state) = timed();
        let start = Instant::now();
        let (ended, ()) = tokio::join!(to_its_end(&mut body), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            state.cut();
        });
        assert_eq!(ended, Err(Refusal::SlowBody));
        assert_eq!(start.elapsed().as_secs(), 1);
        assert_eq!(state.body_bytes(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_that_does_not_end_is_discarded_for_a_second() {
        let (_sender, body, state) = timed();
        let start = Instant::now();
        body.discard(state.begin_request()).await;
        assert_eq!(start.elapsed().as_secs(), 1);
        assert!(!state.phase().is_in_flight());
    }
}
