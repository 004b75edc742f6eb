//! The way to one campus's core: how many may ask it at once, who may wait for that, and who had
//! better come again later. It keeps a campus whose core hangs from holding all that the worker
//! can hold.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use retry::{Cause, Failure, Kind};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::breaker::{Breaker, Entry, LONGEST_PAUSE};

/// A request that takes longer says that the core is slow; the next that takes less, that it is
/// well again.
const SLOW: Duration = Duration::from_secs(1);

/// What one campus may hold of a worker while its core is slow or away.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    /// Requests under way; always.
    pub(crate) requests: usize,
    /// Events that wait for their request.
    pub(crate) waiting: usize,
}

impl Share {
    /// The share of a worker that holds `prefetch` events and may send a core `concurrency`
    /// requests at once: the others keep at least half of the worker.
    pub(crate) fn of(prefetch: usize, concurrency: usize) -> Self {
        Self { requests: concurrency.min(prefetch / 2).max(1), waiting: (prefetch / 8).max(1) }
    }
}

/// There is no room, or no use: come again after the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PutOff(pub(crate) Duration);

/// One campus's gate.
pub(crate) struct Gate {
    share: Share,
    requests: Arc<Semaphore>,
    waiting: Semaphore,
    /// The one event that waits for the moment of the next probe.
    prober: Semaphore,
    breaker: Mutex<Breaker>,
    /// The last thing that went wrong with the core.
    trouble: Mutex<Option<Failure>>,
    slow: AtomicBool,
    /// Whether only a share may be held.
    strained: watch::Sender<bool>,
    /// Told of every change of that, for all campuses.
    changed: Arc<Notify>,
}

/// Leave to send one request. Whoever has it must say how it went.
pub(crate) struct Pass {
    entry: Entry,
    _permit: OwnedSemaphorePermit,
}

impl Gate {
    pub(crate) fn new(share: Share, changed: Arc<Notify>) -> Self {
        Self::with(Arc::new(Semaphore::new(share.requests)), share, changed)
    }

    /// A gate for the same core after it was configured anew: nothing that is known of it holds
    /// any more, but what is under way still is.
    pub(crate) fn renewed(&self, share: Share) -> Self {
        Self::with(Arc::clone(&self.requests), share, Arc::clone(&self.changed))
    }

    fn with(requests: Arc<Semaphore>, share: Share, changed: Arc<Notify>) -> Self {
        Self {
            share,
            requests,
            waiting: Semaphore::new(share.waiting),
            prober: Semaphore::new(1),
            breaker: Mutex::default(),
            trouble: Mutex::default(),
            slow: AtomicBool::new(false),
            strained: watch::Sender::new(false),
            changed,
        }
    }

    /// Waits for leave to send a request; not at all, or not for long, where the core is in
    /// trouble, and not once `stopping`.
    pub(crate) async fn enter(&self, stopping: &CancellationToken) -> Result<Pass, PutOff> {
        let mut prober = None;
        loop {
            let permit = self.permit().await?;
            match self.with_breaker(|breaker| breaker.enter(Instant::now())) {
                entry @ (Entry::Open | Entry::Probe) => {
                    return Ok(Pass { entry, _permit: permit });
                }
                Entry::Shut(wait) => {
                    drop(permit);
                    // Without one at hand the core could be back for long before an event comes
                    // out of the delays and finds out.
                    if prober.is_none() {
                        prober = self.prober.try_acquire().ok();
                    }
                    if prober.is_none() || wait > LONGEST_PAUSE {
                        return Err(PutOff(wait));
                    }
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = stopping.cancelled() => return Err(PutOff(wait)),
                    }
                }
            }
        }
    }

    /// A request's place; while the core is in trouble, only for a share of those who want one.
    async fn permit(&self) -> Result<OwnedSemaphorePermit, PutOff> {
        if let Ok(permit) = Arc::clone(&self.requests).try_acquire_owned() {
            return Ok(permit);
        }
        let permit = Arc::clone(&self.requests).acquire_owned();
        tokio::pin!(permit);
        let mut strained = self.strained.subscribe();
        tokio::select! {
            permit = &mut permit => return permit.map_err(|_| PutOff(SLOW)),
            _ = strained.wait_for(|strained| *strained) => {}
        }
        let Ok(_seat) = self.waiting.try_acquire() else { return Err(PutOff(SLOW)) };
        permit.await.map_err(|_| PutOff(SLOW))
    }

    /// Sees a request through, so that others hear of a slow core while it lasts.
    pub(crate) async fn watch<T>(&self, request: impl Future<Output = T>) -> T {
        tokio::pin!(request);
        if let Ok(answer) = tokio::time::timeout(SLOW, &mut request).await {
            self.slow.store(false, Ordering::Relaxed);
            self.tell();
            return answer;
        }
        self.slow.store(true, Ordering::Relaxed);
        self.tell();
        request.await
    }

    /// The core answered.
    pub(crate) fn answered(&self, pass: Pass) {
        drop(pass);
        self.with_breaker(Breaker::answered);
        self.tell();
    }

    /// The core could not answer, and perhaps said for how long.
    pub(crate) fn failed(&self, pass: Pass, failure: &Failure, wish: Option<Duration>) {
        let entry = pass.entry;
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure.clone());
        // Before the permit is free for the next one.
        self.with_breaker(|breaker| breaker.failed(Instant::now(), entry, wish));
        drop(pass);
        self.tell();
    }

    /// Whether the core is slow or left alone, so that its campus may hold only its share.
    pub(crate) fn is_strained(&self) -> bool {
        *self.strained.borrow()
    }

    /// What is wrong with the core, for those who were put off.
    pub(crate) fn trouble(&self) -> Failure {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.clone().unwrap_or_else(|| {
            Failure::new(Cause::CoreUnavailable, Kind::Outage, "The core is slow to answer.")
        })
    }

    /// Requests of the share that are under way.
    pub(crate) fn under_way(&self) -> usize {
        self.share.requests.saturating_sub(self.requests.available_permits())
    }

    /// Whether the core is left alone.
    pub(crate) fn is_tripped(&self) -> bool {
        self.with_breaker(|breaker| breaker.is_tripped())
    }

    fn tell(&self) {
        let strained = self.slow.load(Ordering::Relaxed) || self.is_tripped();
        let changed = self.strained.send_if_modified(|before| {
            let changed = *before != strained;
            *before = strained;
            changed
        });
        if changed {
            self.changed.notify_one();
        }
    }

    fn with_breaker<T>(&self, operation: impl FnOnce(&mut Breaker) -> T) -> T {
        operation(&mut self.breaker.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(requests: usize, waiting: usize) -> Arc<Gate> {
        Arc::new(Gate::new(Share { requests, waiting }, Arc::default()))
    }

    fn outage() -> Failure {
        Failure::new(Cause::CoreUnavailable, Kind::Outage, "The core is away.")
    }

    async fn enter(gate: &Gate) -> Result<Pass, PutOff> {
        gate.enter(&CancellationToken::new()).await
    }

    #[test]
    fn others_keep_half_of_a_worker() {
        for (prefetch, concurrency) in [(1, 1), (2, 16), (8, 16), (256, 16), (256, 1000)] {
            let share = Share::of(prefetch, concurrency);
            assert!(share.requests >= 1 && share.requests <= concurrency);
            assert!(share.requests <= (prefetch / 2).max(1), "{prefetch}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_core_that_hangs_is_put_off_beyond_the_share() {
        let gate = gate(2, 3);
        let hanging: Vec<_> = (0..2)
            .map(|_| {
                let gate = Arc::clone(&gate);
                tokio::spawn(async move {
                    let pass = enter(&gate).await.ok();
                    gate.watch(std::future::pending::<()>()).await;
                    drop(pass);
                })
            })
            .collect();
        tokio::task::yield_now().await;
        let mut waiting: Vec<_> = (0..10)
            .map(|_| {
                let gate = Arc::clone(&gate);
                tokio::spawn(async move { enter(&gate).await.map(drop) })
            })
            .collect();
        tokio::time::sleep(SLOW * 2).await;
        assert!(gate.is_strained());
        waiting.retain(|one| !one.is_finished());
        assert_eq!(waiting.len(), 3, "the others were put off");
        for one in hanging {
            one.abort();
        }
        for one in waiting {
            assert!(one.await.is_ok_and(|entered| entered.is_ok()));
        }
    }

    #[tokio::test]
    async fn a_core_that_answers_keeps_everybody_waiting_for_their_turn() {
        let gate = gate(1, 1);
        let all = (0..20).map(|_| {
            let gate = Arc::clone(&gate);
            tokio::spawn(async move {
                let pass = enter(&gate).await?;
                gate.watch(tokio::task::yield_now()).await;
                gate.answered(pass);
                Ok::<_, PutOff>(())
            })
        });
        for one in all.collect::<Vec<_>>() {
            assert!(one.await.is_ok_and(|entered| entered.is_ok()));
        }
        assert!(!gate.is_strained());
    }

    #[tokio::test]
    async fn a_core_that_asked_for_a_long_pause_is_not_waited_for() {
        let gate = gate(4, 4);
        let pass = enter(&gate).await.unwrap();
        gate.failed(pass, &outage(), Some(Duration::from_mins(1)));
        assert!(gate.is_tripped());
        let PutOff(wait) = enter(&gate).await.err().unwrap();
        assert!(wait > Duration::from_secs(50) && wait <= Duration::from_mins(1), "{wait:?}");
    }

    #[tokio::test]
    async fn one_event_waits_for_the_probe_and_the_others_are_put_off() {
        let gate = gate(8, 8);
        for _ in 0..5 {
            let pass = enter(&gate).await.unwrap();
            gate.failed(pass, &outage(), None);
        }
        let prober = {
            let gate = Arc::clone(&gate);
            tokio::spawn(async move {
                let pass = enter(&gate).await.unwrap();
                gate.answered(pass);
            })
        };
        tokio::task::yield_now().await;
        assert!(enter(&gate).await.is_err());
        prober.await.unwrap();
        assert!(enter(&gate).await.is_ok());
    }
}
