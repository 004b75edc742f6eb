//! How many connections may be open at once, and who gives way when there are more (rule gateway-5).
//!
//! Nobody is kept out by those who say nothing: when all places are taken, those go whose peers
//! have kept us waiting longest, whatever for: a TLS handshake, a head, a body, the next request,
//! an answer that is not read. Whoever sends its request at once is never among them.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};

use crate::{
    intake::connection_state::ConnectionState,
    metrics::{Cut, Metrics},
};

/// The most that a connection reads ahead.
pub(crate) const READ_BUFFER_BYTES: usize = 32 * 1024;

/// Open connections at most; a connection costs a task and up to a read buffer of memory.
const MOST: usize = 10_000;
/// Files kept for everything else: RabbitMQ, Postgres, the admin port, certificates.
const OTHER_FILES: usize = 64;
/// Nobody gives way that waits for less: an honest sender's next packet may take so long.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
/// The same where memory is short, for a body of which nothing comes.
const STALLED: Duration = Duration::from_secs(2);
/// How soon room is looked for again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The cap on connections. Beyond it the kernel's backlog holds those who want in.
pub(crate) struct Connections {
    permits: Arc<Semaphore>,
    limit: usize,
    states: Mutex<HashMap<u64, Arc<ConnectionState>>>,
    next: AtomicU64,
    metrics: Arc<Metrics>,
}

/// An open connection's place, until it is dropped.
pub(crate) struct OpenConnection {
    pub(crate) state: Arc<ConnectionState>,
    number: u64,
    connections: Arc<Connections>,
    _permit: OwnedSemaphorePermit,
}

impl Connections {
    /// The cap, as far as the limit of open files allows: that is raised as far as it may be,
    /// since the usual 1024 are few.
    pub(crate) fn new(metrics: Arc<Metrics>) -> Arc<Self> {
        let limit = MOST.min(open_files(MOST + OTHER_FILES).saturating_sub(OTHER_FILES)).max(1);
        if limit < MOST {
            tracing::warn!(limit, "the limit of open files allows fewer connections than usual");
        }
        Self::limited(limit, metrics)
    }

    pub(crate) fn limited(limit: usize, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            permits: Arc::new(Semaphore::new(limit)),
            limit,
            states: Mutex::default(),
            next: AtomicU64::new(0),
            metrics,
        })
    }

    /// Waits until one more may be open, and makes room for it.
    pub(crate) async fn permit(&self) -> OwnedSemaphorePermit {
        loop {
            if let Some(permit) = self.try_permit() {
                return permit;
            }
            self.make_room();
            let permit = Arc::clone(&self.permits).acquire_owned();
            if let Ok(Ok(permit)) = timeout(LOOK_AGAIN, permit).await {
                return permit;
            }
        }
    }

    /// Whether one more may be open now.
    pub(crate) fn try_permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).try_acquire_owned().ok()
    }

    /// Takes the place of a permit.
    pub(crate) fn open(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> OpenConnection {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let state = ConnectionState::new();
        self.states().insert(number, Arc::clone(&state));
        OpenConnection { state, number, connections: Arc::clone(self), _permit: permit }
    }

    /// How many have been opened so far.
    pub(crate) fn opened(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// Whether any of the first so many is still open.
    pub(crate) fn any_of_first(&self, number: u64) -> bool {
        self.states().keys().any(|opened| *opened < number)
    }

    /// Asks all to end after the request that they are in.
    pub(crate) fn ask_to_end(&self) {
        self.ask_first_to_end(u64::MAX);
    }

    /// The same, of the first so many.
    pub(crate) fn ask_first_to_end(&self, number: u64) {
        let states = self.states();
        let first = states.iter().filter(|(opened, _)| **opened < number);
        first.for_each(|(_, state)| state.ask_to_end());
    }

    /// Cuts off those who have kept us waiting longest, one in a hundred places at once.
    fn make_room(&self) {
        let most = (self.limit / 100).max(1);
        let now = Instant::now();
        let states = self.states();
        let mut going = 0;
        let mut waiting = Vec::new();
        for state in states.values() {
            if state.is_cut() {
                going += 1;
            } else if let Some(since) = state.waiting_since()
                && now.saturating_duration_since(since) >= SHORTEST_WAIT
            {
                waiting.push((since, state));
            }
        }
        // Those who are cut off need a moment to be gone.
        let wanted = most.saturating_sub(going).min(waiting.len());
        if wanted == 0 {
            return;
        }
        waiting.select_nth_unstable_by_key(wanted - 1, |(since, _)| *since);
        waiting.iter().take(wanted).for_each(|(_, state)| state.cut());
        self.metrics.cut(Cut::Crowded, wanted);
    }

    /// Cuts off the stalled body of which most is held. False where no body has stalled.
    pub(crate) fn cut_stalled_body(&self) -> bool {
        let now = Instant::now();
        let states = self.states();
        let mut largest: Option<(usize, &Arc<ConnectionState>)> = None;
        for state in states.values() {
            let bytes = state.body_bytes();
            if bytes == 0 {
                continue;
            }
            if state.is_cut() {
                return true;
            }
            let has_stalled = state
                .waiting_since()
                .is_some_and(|since| now.saturating_duration_since(since) >= STALLED);
            if has_stalled && largest.is_none_or(|(most, _)| most < bytes) {
                largest = Some((bytes, state));
            }
        }
        let Some((_, state)) = largest else { return false };
        state.cut();
        self.metrics.cut(Cut::Memory, 1);
        true
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    fn states(&self) -> MutexGuard<'_, HashMap<u64, Arc<ConnectionState>>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.connections.states().remove(&self.number);
    }
}

/// How many files may be open, after asking for `wanted`.
fn open_files(wanted: usize) -> usize {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return wanted };
    let raised = u64::try_from(wanted).unwrap_or(u64::MAX).min(hard);
    let allowed = if soft < raised && setrlimit(Resource::RLIMIT_NOFILE, raised, hard).is_ok() {
        raised
    } else {
        soft
    };
    usize::try_from(allowed).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(limit: usize) -> Arc<Connections> {
        Connections::limited(limit, Arc::new(Metrics::new()))
    }

    fn open(connections: &Arc<Connections>) -> OpenConnection {
        connections.open(connections.try_permit().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_kept_us_waiting_longest_gives_way() {
        let connections = connections(3);
        let (works, waits, waits_longest) =
            (open(&connections), open(&connections), open(&connections));
        waits_longest.state.waits(Instant::now());
        tokio::time::sleep(Duration::from_secs(1)).await;
        waits.state.waits(Instant::now());
        tokio::time::sleep(Duration::from_secs(1)).await;

        let state = Arc::clone(&waits_longest.state);
        tokio::spawn(async move {
            state.until_cut().await;
            drop(waits_longest);
        });
        drop(connections.permit().await);
        assert!(!works.state.is_cut() && !waits.state.is_cut());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_gives_way_who_is_at_work_or_has_only_begun_to_wait() {
        let connections = connections(2);
        let (works, waits) = (open(&connections), open(&connections));
        waits.state.waits(Instant::now());
        connections.make_room();
        assert!(!works.state.is_cut() && !waits.state.is_cut());
        tokio::time::sleep(SHORTEST_WAIT).await;
        connections.make_room();
        assert!(!works.state.is_cut() && waits.state.is_cut());
    }

    #[tokio::test(start_paused = true)]
    async fn of_stalled_bodies_the_largest_gives_way() {
        let connections = connections(4);
        let [idle, small, large, moving] = [0; 4].map(|_| open(&connections));
        idle.state.waits(Instant::now());
        small.state.waits_for_body(Instant::now(), 10);
        large.state.waits_for_body(Instant::now(), 20);
        assert!(!connections.cut_stalled_body());
        tokio::time::sleep(STALLED).await;
        moving.state.waits_for_body(Instant::now(), 30);
        assert!(connections.cut_stalled_body());
        assert!(large.state.is_cut());
        assert!(!idle.state.is_cut() && !small.state.is_cut() && !moving.state.is_cut());
    }
}
