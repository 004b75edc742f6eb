//! Taking a body in: bounded in size, in time, and in what all of them hold together.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::time::{Instant, timeout, timeout_at};

use crate::{
    Refusal,
    budget::{Budget, Charge},
    refusal::Unavailable,
};

/// A body of which nothing arrives for so long has stalled.
const STALL_LIMIT: Duration = Duration::from_secs(10);
/// A body as a whole takes no longer: a sender that trickles holds memory and a connection.
const TOTAL_LIMIT: Duration = Duration::from_mins(1);
/// How long the rest of a body is read after an early answer. Closing at once would reset the
/// connection, and the answer could be lost before the sender has read it.
const DISCARD_LIMIT: Duration = Duration::from_secs(1);
/// The first room made for a body of more than one piece.
const FIRST_ROOM: usize = 64 * 1024;

/// What bounds the bodies of all requests.
pub(crate) struct Intake {
    /// `GATEWAY_MAX_BODY_BYTES`.
    pub(crate) max_body_bytes: usize,
    /// What they hold together.
    pub(crate) budget: Arc<Budget>,
}

/// A whole body, and its share of the budget.
pub(crate) struct Received {
    /// The raw bytes, as signed.
    pub(crate) bytes: Bytes,
    /// When the last of them arrived; the sender's patience counts from here.
    pub(crate) ended_at: Instant,
    _charge: Charge,
}

impl Intake {
    /// Reads `body` to its end.
    pub(crate) async fn read<B>(&self, body: &mut B) -> Result<Received, Refusal>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let announced = body.size_hint().lower();
        if announced > u64::try_from(self.max_body_bytes).unwrap_or(u64::MAX) {
            return Err(Refusal::BodyTooLarge);
        }
        let mut charge = self.budget.charge();
        let bytes = self.collect(body, &mut charge).await?;
        Ok(Received { bytes, ended_at: Instant::now(), _charge: charge })
    }

    async fn collect<B>(&self, body: &mut B, charge: &mut Charge) -> Result<Bytes, Refusal>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let deadline = Instant::now() + TOTAL_LIMIT;
        let Some(first) = next_piece(body, deadline).await? else { return Ok(Bytes::new()) };
        self.admit(first.len(), first.len(), charge)?;
        // Nearly every webhook arrives in one piece: it is used where it lies.
        if body.is_end_stream() {
            return Ok(first);
        }
        let rest = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
        let expected = rest.map_or(self.max_body_bytes, |rest| first.len().saturating_add(rest));
        let mut whole = Vec::new();
        let mut piece = Some(first);
        while let Some(bytes) = piece {
            let length = whole.len() + bytes.len();
            if length > whole.capacity() {
                // Room doubles, but never beyond what was announced: what is charged is what is
                // held.
                let room = (whole.capacity() * 2).max(FIRST_ROOM).min(expected).max(length);
                self.admit(length, room, charge)?;
                whole.reserve_exact(room - whole.len());
            }
            whole.extend_from_slice(&bytes);
            piece = next_piece(body, deadline).await?;
        }
        Ok(whole.into())
    }

    fn admit(&self, length: usize, room: usize, charge: &mut Charge) -> Result<(), Refusal> {
        if length > self.max_body_bytes {
            return Err(Refusal::BodyTooLarge);
        }
        if !charge.grow_to(room) {
            return Err(Unavailable::Memory.into());
        }
        Ok(())
    }
}

/// The next bytes; none at the end.
async fn next_piece<B>(body: &mut B, deadline: Instant) -> Result<Option<Bytes>, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    loop {
        let limit = deadline.min(Instant::now() + STALL_LIMIT);
        match timeout_at(limit, body.frame()).await {
            Err(_) => return Err(Refusal::SlowBody),
            Ok(None) => return Ok(None),
            // Broken off, or chunks that are none: whatever it is, it is not a JSON object.
            Ok(Some(Err(_))) => return Err(Refusal::InvalidJson),
            // Trailers are not data.
            Ok(Some(Ok(frame))) => {
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
        }
    }
}

/// Reads on after an early answer and throws away what comes.
pub(crate) async fn discard<B>(mut body: B)
where
    B: Body<Data = Bytes> + Unpin,
{
    let rest = async { while let Some(Ok(_)) = body.frame().await {} };
    timeout(DISCARD_LIMIT, rest).await.ok();
}

#[cfg(test)]
mod tests {
    use http_body_util::{Full, channel::Channel};

    use super::*;

    fn intake(max_body_bytes: usize, budget: usize) -> Intake {
        Intake { max_body_bytes, budget: Budget::new(budget) }
    }

    #[tokio::test]
    async fn a_body_in_one_piece_is_not_copied() {
        let bytes = Bytes::from_static(b"{}");
        let received = intake(10, 10).read(&mut Full::new(bytes.clone())).await.unwrap();
        assert_eq!(received.bytes.as_ptr(), bytes.as_ptr());
    }

    #[tokio::test]
    async fn an_announced_body_beyond_the_limit_is_not_read() {
        let mut body = Full::new(Bytes::from_static(b"12345"));
        assert_eq!(intake(4, 10).read(&mut body).await.err(), Some(Refusal::BodyTooLarge));
        assert!(!body.is_end_stream());
    }

    #[tokio::test]
    async fn pieces_are_joined_and_counted() {
        let (mut sender, mut body) = Channel::<Bytes>::new(8);
        let intake = intake(1_000_000, 1_000_000);
        let send = async move {
            for _ in 0..10 {
                sender.send_data(Bytes::from(vec![7; 10_000])).await.unwrap();
            }
        };
        let (received, ()) = tokio::join!(intake.read(&mut body), send);
        let received = received.unwrap();
        assert_eq!(received.bytes.len(), 100_000);
        assert!(intake.budget.used() >= 100_000);
        drop(received);
        assert_eq!(intake.budget.used(), 0);
    }

    #[tokio::test]
    async fn a_body_that_grows_beyond_the_limit_or_the_budget_is_refused() {
        for (max, budget, expected) in [
            (100, 1_000_000, Refusal::BodyTooLarge),
            (1_000_000, 100, Refusal::Unavailable(Unavailable::Memory)),
        ] {
            let (mut sender, mut body) = Channel::<Bytes>::new(8);
            for _ in 0..3 {
                sender.send_data(Bytes::from(vec![7; 50])).await.unwrap();
            }
            let intake = intake(max, budget);
            assert_eq!(intake.read(&mut body).await.err(), Some(expected));
            assert_eq!(intake.budget.used(), 0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_body_is_given_up_after_ten_seconds() {
        let (mut sender, mut body) = Channel::<Bytes>::new(8);
        sender.send_data(Bytes::from_static(b"{")).await.unwrap();
        let start = Instant::now();
        assert_eq!(intake(9, 9).read(&mut body).await.err(), Some(Refusal::SlowBody));
        assert_eq!(start.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_trickling_body_is_given_up_after_a_minute() {
        let (mut sender, mut body) = Channel::<Bytes>::new(8);
        tokio::spawn(async move {
            while sender.send_data(Bytes::from_static(b" ")).await.is_ok() {
                tokio::time::sleep(Duration::from_secs(9)).await;
            }
        });
        let start = Instant::now();
        let intake = intake(1000, 1_000_000);
        assert_eq!(intake.read(&mut body).await.err(), Some(Refusal::SlowBody));
        assert_eq!(start.elapsed().as_secs(), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_that_does_not_end_is_discarded_for_a_second() {
        let (_sender, body) = Channel::<Bytes>::new(1);
        let start = Instant::now();
        discard(body).await;
        assert_eq!(start.elapsed().as_secs(), 1);
    }
}
