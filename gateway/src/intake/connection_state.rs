//! One open connection: whose turn it is, and since when its peer has kept us waiting.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

/// What [`Seat::turns`] grows by when a turn begins: one change, and one request at work.
const BEGIN: u64 = CHANGE + 1;
/// What it grows by when a turn ends: one change, and one request less.
const END: u64 = CHANGE - 1;
const CHANGE: u64 = 1 << 32;

const STAYS: u8 = 0;
const LEAVES: u8 = 1;
const CUT: u8 = 2;

/// What a connection's stream, its requests and those who look for room know of each other. A
/// request costs three stores to it.
pub(crate) struct Seat {
    opened_at: Instant,
    /// Changes of turn in the upper half, requests at work in the lower: the stream sees turns that
    /// began and ended between two of its reads.
    turns: AtomicU64,
    /// Milliseconds from the opening to when the peer began to keep us waiting, and one; 0 where it
    /// does not.
    waits_since: AtomicU64,
    /// Bytes held of the body that is waited for.
    body_bytes: AtomicUsize,
    told: AtomicU8,
    telling: Notify,
}

/// Our turn to answer, until it is dropped.
pub(crate) struct OurTurn(Arc<Seat>);

/// The turns at one moment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turns(u64);

impl Turns {
    /// Before the first request.
    pub(crate) const NONE: Self = Self(0);

    /// Whether we owe an answer, and the peer nothing but the body.
    pub(crate) fn is_ours(self) -> bool {
        self.0 & (CHANGE - 1) != 0
    }
}

impl Seat {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            opened_at: Instant::now(),
            turns: AtomicU64::new(0),
            waits_since: AtomicU64::new(0),
            body_bytes: AtomicUsize::new(0),
            told: AtomicU8::new(STAYS),
            telling: Notify::new(),
        })
    }

    /// A request has arrived.
    pub(crate) fn ours(self: &Arc<Self>) -> OurTurn {
        self.works();
        self.turns.fetch_add(BEGIN, Ordering::Relaxed);
        OurTurn(Arc::clone(self))
    }

    pub(crate) fn turns(&self) -> Turns {
        Turns(self.turns.load(Ordering::Relaxed))
    }

    /// The peer keeps us waiting since then.
    pub(crate) fn waits(&self, since: Instant) {
        let waited = since.saturating_duration_since(self.opened_at);
        let milliseconds = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX - 1);
        self.waits_since.store(milliseconds + 1, Ordering::Relaxed);
    }

    /// The same in the midst of a body of which so much is held.
    pub(crate) fn waits_for_body(&self, since: Instant, bytes: usize) {
        self.body_bytes.store(bytes.max(1), Ordering::Relaxed);
        self.waits(since);
    }

    /// Nobody keeps us waiting.
    pub(crate) fn works(&self) {
        self.waits_since.store(0, Ordering::Relaxed);
    }

    /// What was waited for of the body has come, or comes no more.
    pub(crate) fn works_on_body(&self) {
        self.works();
        self.body_bytes.store(0, Ordering::Relaxed);
    }

    /// Since when the peer keeps us waiting, where it does.
    pub(crate) fn waiting_since(&self) -> Option<Instant> {
        let milliseconds = self.waits_since.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.opened_at + Duration::from_millis(milliseconds))
    }

    /// What is held of a body whose rest is waited for.
    pub(crate) fn body_bytes(&self) -> usize {
        self.body_bytes.load(Ordering::Relaxed)
    }

    /// Asks for the end: what is under way is finished, nothing new begins.
    pub(crate) fn leave(&self) {
        self.tell(LEAVES);
    }

    /// Ends whatever waits for the peer at once; its place is needed.
    pub(crate) fn cut(&self) {
        self.tell(CUT);
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.told.load(Ordering::Acquire) == CUT
    }

    fn tell(&self, what: u8) {
        self.told.fetch_max(what, Ordering::Release);
        self.telling.notify_waiters();
    }

    /// Waits until the connection is asked to end, in either way.
    pub(crate) async fn until_told(&self) {
        let telling = self.telling.notified();
        if self.told.load(Ordering::Acquire) == STAYS {
            telling.await;
        }
    }

    /// Waits until the connection is cut.
    pub(crate) async fn until_cut(&self) {
        loop {
            let telling = self.telling.notified();
            match self.told.load(Ordering::Acquire) {
                CUT => return,
                _ => telling.await,
            }
        }
    }
}

impl OurTurn {
    pub(crate) fn seat(&self) -> &Arc<Seat> {
        &self.0
    }
}

impl Drop for OurTurn {
    fn drop(&mut self) {
        self.0.turns.fetch_add(END, Ordering::Relaxed);
    }
}
