//! One open connection: whether a request of it is being answered, and since when its peer has kept us waiting.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

/// What the phase grows by when a request begins: one change, and one request in flight.
const BEGIN: u64 = CHANGE + 1;
/// What it grows by when a request ends: one change, and one in flight less.
const END: u64 = CHANGE - 1;
const CHANGE: u64 = 1 << 32;

const OPEN: u8 = 0;
const ENDING: u8 = 1;
const CUT: u8 = 2;

/// What a connection's stream, its requests and those who look for room know of each other. A request costs three stores
/// to it.
pub(crate) struct ConnectionState {
    opened_at: Instant,
    /// Changes in the upper half, requests in flight in the lower: the stream sees requests that began and ended between
    /// two of its reads.
    phase: AtomicU64,
    /// Milliseconds from the opening to when the peer began to keep us waiting, and one; 0 where it does not.
    waits_since: AtomicU64,
    /// Bytes held of the body that is waited for.
    body_bytes: AtomicUsize,
    /// Whether it is asked to end, and how.
    end: AtomicU8,
    end_changed: Notify,
}

/// A request that is being answered, until it is dropped.
pub(crate) struct InFlightGuard(Arc<ConnectionState>);

/// How many requests began and ended, and whether one is in flight, at one moment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestPhase(u64);

impl RequestPhase {
    /// Before the first request.
    pub(crate) const BEFORE_FIRST: Self = Self(0);

    /// Whether we owe an answer, and the peer nothing but the body.
    pub(crate) fn is_in_flight(self) -> bool {
        self.0 & (CHANGE - 1) != 0
    }
}

impl ConnectionState {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            opened_at: Instant::now(),
            phase: AtomicU64::new(0),
            waits_since: AtomicU64::new(0),
            body_bytes: AtomicUsize::new(0),
            end: AtomicU8::new(OPEN),
            end_changed: Notify::new(),
        })
    }

    /// A request has arrived.
    pub(crate) fn begin_request(self: &Arc<Self>) -> InFlightGuard {
        self.works();
        self.phase.fetch_add(BEGIN, Ordering::Relaxed);
        InFlightGuard(Arc::clone(self))
    }

    pub(crate) fn phase(&self) -> RequestPhase {
        RequestPhase(self.phase.load(Ordering::Relaxed))
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
    pub(crate) fn ask_to_end(&self) {
        self.set_end(ENDING);
    }

    /// Ends whatever waits for the peer at once; its place is needed.
    pub(crate) fn cut(&self) {
        self.set_end(CUT);
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.end.load(Ordering::Acquire) == CUT
    }

    fn set_end(&self, end: u8) {
        self.end.fetch_max(end, Ordering::Release);
        self.end_changed.notify_waiters();
    }

    /// Waits until the connection is asked to end, in either way.
    pub(crate) async fn until_ending(&self) {
        let changed = self.end_changed.notified();
        if self.end.load(Ordering::Acquire) == OPEN {
            changed.await;
        }
    }

    /// Waits until the connection is cut.
    pub(crate) async fn until_cut(&self) {
        loop {
            let changed = self.end_changed.notified();
            match self.end.load(Ordering::Acquire) {
                CUT => return,
                _ => changed.await,
            }
        }
    }
}

impl InFlightGuard {
    pub(crate) fn connection(&self) -> &Arc<ConnectionState> {
        &self.0
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.0.phase.fetch_add(END, Ordering::Relaxed);
    }
}
