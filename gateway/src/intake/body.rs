//! Reads a request's body: bounded in size, and in what all bodies hold together (rule gateway-4).

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hyper::body::Body;
use tokio::time::{Instant, sleep};

use crate::{
    intake::{
        budget::{Budget, Charge},
        connections::{Connections, READ_BUFFER_BYTES},
        timed_body::TimedBody,
    },
    webhook::refusal::{Refusal, Unavailable},
};

/// The first room made for a body of more than one piece.
const FIRST_ROOM: usize = 4 * 1024;
/// How often a body that finds no room looks again, and after which pauses: stalled ones that are
/// cut off give theirs back at once.
const LOOKS_FOR_ROOM: usize = 10;
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// What bounds the bodies of all requests.
pub(crate) struct BodyReader {
    /// `GATEWAY_MAX_BODY_BYTES`.
    pub(crate) max_body_bytes: usize,
    /// What they hold together.
    pub(crate) budget: Arc<Budget>,
    /// Where stalled ones are cut off when that is not enough.
    pub(crate) connections: Arc<Connections>,
}

/// A whole body, and its share of the budget.
pub(crate) struct ReceivedBody {
    /// The raw bytes, as signed.
    pub(crate) bytes: Bytes,
    /// When the last of them arrived; the time to answer counts from here.
    pub(crate) ended_at: Instant,
    _charge: Charge,
}

impl BodyReader {
    /// Reads `body` to its end.
    pub(crate) async fn read<B>(&self, body: &mut TimedBody<B>) -> Result<ReceivedBody, Refusal>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        if body.announced() > u64::try_from(self.max_body_bytes).unwrap_or(u64::MAX) {
            return Err(Refusal::BodyTooLarge);
        }
        let mut charge = self.budget.charge();
        let bytes = self.collect(body, &mut charge).await?;
        Ok(ReceivedBody { bytes, ended_at: Instant::now(), _charge: charge })
    }

    async fn collect<B>(
        &self,
        body: &mut TimedBody<B>,
        charge: &mut Charge,
    ) -> Result<Bytes, Refusal>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let Some(first) = body.next().await? else { return Ok(Bytes::new()) };
        self.admit(first.len(), first.len(), charge).await?;
        // Nearly every webhook arrives in one piece: it is used where it lies.
        if body.has_ended() {
            return Ok(first);
        }
        let rest = body.rest().and_then(|bytes| usize::try_from(bytes).ok());
        let expected = rest.map_or(self.max_body_bytes, |rest| first.len().saturating_add(rest));
        let mut whole = Vec::new();
        let mut piece = Some(first);
        while let Some(bytes) = piece {
            let length = whole.len() + bytes.len();
            if length > whole.capacity() {
                // Room doubles, but never beyond what was announced. What is charged is what is
                // held: it, and the buffer that it is read through, which grows with what comes.
                let room = (whole.capacity() * 2).max(FIRST_ROOM).min(expected).max(length);
                self.admit(length, room + room.min(READ_BUFFER_BYTES), charge).await?;
                whole.reserve_exact(room - whole.len());
            }
            whole.extend_from_slice(&bytes);
            piece = body.next().await?;
        }
        Ok(whole.into())
    }

    async fn admit(&self, length: usize, held: usize, charge: &mut Charge) -> Result<(), Refusal> {
        if length > self.max_body_bytes {
            return Err(Refusal::BodyTooLarge);
        }
        if charge.grow_to(held) {
            return Ok(());
        }
        for _ in 0..LOOKS_FOR_ROOM {
            if !self.connections.cut_stalled_body() {
                break;
            }
            sleep(LOOK_AGAIN).await;
            if charge.grow_to(held) {
                return Ok(());
            }
        }
        Err(Unavailable::Memory.into())
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{Full, channel::Channel};

    use super::*;
    use crate::{intake::connection_state::ConnectionState, metrics::Metrics};

    fn body_reader(max_body_bytes: usize, budget: usize) -> BodyReader {
        let connections = Connections::limited(10, Arc::new(Metrics::new()));
        BodyReader { max_body_bytes, budget: Budget::new(budget, 0), connections }
    }

    fn timed<B: Body<Data = Bytes> + Unpin>(body: B) -> TimedBody<B> {
        TimedBody::new(body, ConnectionState::new())
    }

    #[tokio::test]
    async fn a_body_in_one_piece_is_not_copied() {
        let bytes = Bytes::from_static(b"{}");
        let received =
            body_reader(10, 10).read(&mut timed(Full::new(bytes.clone()))).await.unwrap();
        assert_eq!(received.bytes.as_ptr(), bytes.as_ptr());
    }

    #[tokio::test]
    async fn an_announced_body_beyond_the_limit_is_not_read() {
        let mut body = timed(Full::new(Bytes::from_static(b"12345")));
        assert_eq!(body_reader(4, 10).read(&mut body).await.err(), Some(Refusal::BodyTooLarge));
        assert!(!body.has_ended());
    }

    #[tokio::test]
    async fn pieces_are_joined_and_counted() {
        let (mut sender, body) = Channel::<Bytes>::new(8);
        let bodies = body_reader(1_000_000, 1_000_000);
        let send = async move {
            for _ in 0..10 {
                sender.send_data(Bytes::from(vec![7; 10_000])).await.unwrap();
            }
        };
        let (received, ()) = tokio::join!(async { bodies.read(&mut timed(body)).await }, send);
        let received = received.unwrap();
        assert_eq!(received.bytes.len(), 100_000);
        assert!(bodies.budget.used() >= 100_000);
        drop(received);
        assert_eq!(bodies.budget.used(), 0);
    }

    #[tokio::test]
    async fn a_body_that_grows_beyond_the_limit_or_the_budget_is_refused() {
        for (max, budget, expected) in [
            (100, 1_000_000, Refusal::BodyTooLarge),
            (1_000_000, 100, Refusal::Unavailable(Unavailable::Memory)),
        ] {
            let (mut sender, body) = Channel::<Bytes>::new(8);
            for _ in 0..3 {
                sender.send_data(Bytes::from(vec![7; 50])).await.unwrap();
            }
            let bodies = body_reader(max, budget);
            assert_eq!(bodies.read(&mut timed(body)).await.err(), Some(expected));
            assert_eq!(bodies.budget.used(), 0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_trickles_is_charged_what_is_held_of_it() {
        let (mut sender, body) = Channel::<Bytes>::new(8);
        let bodies = Arc::new(body_reader(1_000_000, 1_000_000));
        let reader = Arc::clone(&bodies);
        let reading = tokio::spawn(async move { reader.read(&mut timed(body)).await.err() });
        for _ in 0..5 {
            sender.send_data(Bytes::from_static(b" ")).await.unwrap();
            sleep(Duration::from_secs(4)).await;
        }
        assert_eq!(bodies.budget.used(), 2 * FIRST_ROOM);
        assert_eq!(reading.await.unwrap(), Some(Refusal::SlowBody));
        assert_eq!(bodies.budget.used(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_body_gives_its_room_to_one_that_moves() {
        let bodies = Arc::new(body_reader(100_000, 150_000));
        let connections = Arc::clone(&bodies.connections);
        let connection = connections.open(connections.try_permit().unwrap());
        let (mut sender, body) = Channel::<Bytes>::new(8);
        sender.send_data(Bytes::from(vec![7; 99_999])).await.unwrap();
        let mut stalled = TimedBody::new(body, Arc::clone(&connection.state));
        let reader = Arc::clone(&bodies);
        let stalled = tokio::spawn(async move {
            let _connection = connection;
            reader.read(&mut stalled).await.err()
        });

        for (waited, refused) in [(1, Some(Refusal::Unavailable(Unavailable::Memory))), (3, None)] {
            sleep(Duration::from_secs(waited)).await;
            let whole = Full::new(Bytes::from(vec![7; 100_000]));
            assert_eq!(bodies.read(&mut timed(whole)).await.err(), refused);
        }
        assert_eq!(stalled.await.unwrap(), Some(Refusal::SlowBody));
    }
}
