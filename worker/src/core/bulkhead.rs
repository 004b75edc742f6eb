//! The bulkhead between one campus's core and everything else (rule worker-12): how many may ask it at once, who may wait
//! for that, and who is deferred. While the core answers, its slots are kept busy; while it hangs or is away, its campus
//! costs the others nothing.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use core_api::RequestSlots;
use retry::{Cause, Failure, FailureKind, RetrySchedule};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::core::{
    breaker::{Admit, Breaker, CoreFailure, FailureScope, LONGEST_PAUSE},
    known_members::KnownMembers,
    limits::Limits,
    pace::Pace,
    wait_queue::{Slot, WaitQueue},
};

/// Why and for how long an event is deferred: nothing is tried for it, and it comes again.
#[derive(Debug, Clone)]
pub(crate) enum Deferral {
    /// Its core's breaker is open, or its member's row locked, for so long, because of this.
    Unavailable(Duration, Failure),
    /// Its core answers, and others need the room: its turn may be in so long.
    Crowded(Duration),
    /// Its campus is paused, and looked at again in so long.
    Paused(Duration),
}

/// One campus's bulkhead.
pub(crate) struct Bulkhead {
    limits: Limits,
    queue: Arc<WaitQueue>,
    /// How many of those whose turn it is may ask at once: fewer over a thin line.
    pub(crate) slots: RequestSlots,
    pace: Arc<Mutex<Pace>>,
    /// The one event that waits for the moment of the next probe.
    prober: Semaphore,
    breaker: Mutex<Breaker>,
    /// The core's last failure.
    last_failure: Mutex<Option<Failure>>,
    known: Mutex<KnownMembers>,
}

/// Permission to send one request; its holder must say how that went.
pub(crate) struct Permit {
    pub(crate) admit: Admit,
    begin: Instant,
    pace: Arc<Mutex<Pace>>,
    ended: bool,
    _slot: Slot,
}

impl Permit {
    /// The request is sent only now: until here it waited for something of ours.
    pub(crate) fn begin(&mut self) {
        let now = Instant::now();
        lock(&self.pace).sent(std::mem::replace(&mut self.begin, now), now);
    }
}

impl Bulkhead {
    pub(crate) fn new(limits: Limits) -> Self {
        let pace = Pace::new(limits.requests, Instant::now());
        Self::with(limits, WaitQueue::new(limits.requests), Arc::new(Mutex::new(pace)))
    }

    /// A bulkhead for the same core after it was configured anew: nothing that is known of it holds
    /// any more, but what is under way still is.
    pub(crate) fn renewed(&self) -> Self {
        Self::with(self.limits, Arc::clone(&self.queue), Arc::clone(&self.pace))
    }

    fn with(limits: Limits, queue: Arc<WaitQueue>, pace: Arc<Mutex<Pace>>) -> Self {
        Self {
            limits,
            queue,
            slots: RequestSlots::new(limits.requests),
            pace,
            prober: Semaphore::new(1),
            breaker: Mutex::default(),
            last_failure: Mutex::default(),
            known: Mutex::default(),
        }
    }

    /// Waits for leave to send a request, among others by age; not at all, or not for long, where
    /// the breaker is open, and not once `stopping`. An event that `is_overdue` asks all the same.
    pub(crate) async fn acquire(
        &self,
        since: DateTime<Utc>,
        is_overdue: bool,
        stopping: &CancellationToken,
    ) -> Result<Permit, Deferral> {
        let mut prober = None;
        loop {
            let rejects = lock(&self.breaker).rejects_for(Instant::now());
            let Some(wait) = rejects.filter(|_| !is_overdue) else {
                let slot = self.queue.slot(since).await.map_err(Deferral::Crowded)?;
                match lock(&self.breaker).admit(Instant::now()) {
                    // Meanwhile the breaker opened, or another event became the probe.
                    Admit::Rejected(_) if !is_overdue => continue,
                    admit => return Ok(self.permit(admit, slot)),
                }
            };
            // Without one at hand the core could be back for long before an event comes out of
            // the delays and finds out.
            if prober.is_none() {
                prober = self.prober.try_acquire().ok();
            }
            let deferral = || Deferral::Unavailable(wait, self.last_failure());
            if prober.is_none() || wait > LONGEST_PAUSE {
                return Err(deferral());
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stopping.cancelled() => return Err(deferral()),
            }
        }
    }

    fn permit(&self, admit: Admit, slot: Slot) -> Permit {
        let begin = Instant::now();
        lock(&self.pace).asked(begin);
        Permit { admit, begin, pace: Arc::clone(&self.pace), ended: false, _slot: slot }
    }

    /// Where others may need the room, sends those away who wait beyond a share, unless all of them
    /// have their turn in a moment. Answers how many more of the campus may be held.
    pub(crate) fn make_room(&self, share: usize, schedule: &RetrySchedule) -> usize {
        let now = Instant::now();
        self.queue.send_away(share, || {
            let mut pace = lock(&self.pace);
            let turn = pace.dry_in(now, share);
            pace.deferred(now, schedule.delay_until_turn(turn));
            turn
        });
        share.saturating_sub(self.queue.length())
    }

    /// Whether the core is too slow for all that a worker can hold to wait for it.
    pub(crate) fn is_slow(&self) -> bool {
        !lock(&self.pace).is_fast(Instant::now(), self.limits.prefetch)
    }

    /// How many wait to ask the core.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.length()
    }

    /// When an event that waits for its member is better back.
    pub(crate) fn turn(&self) -> Duration {
        lock(&self.pace).dry_in(Instant::now(), self.queue.length())
    }

    /// The core showed a member.
    pub(crate) fn readable(&self, mut permit: Permit, member: &str) {
        permit.end();
        lock(&self.breaker).readable();
        lock(&self.known).remember(member, Instant::now());
    }

    /// The core answered, but with no member.
    pub(crate) fn answered(&self, mut permit: Permit) {
        permit.end();
        lock(&self.breaker).answered();
    }

    /// The core could not answer about a member as it should, and perhaps said for how long. Where
    /// that is the core's failure, it is what those are told who are deferred.
    pub(crate) fn failed(
        &self,
        permit: &mut Permit,
        member: &str,
        (kind, failure): (CoreFailure, &Failure),
        retry_after: Option<Duration>,
    ) -> FailureScope {
        permit.end();
        let mut breaker = lock(&self.breaker);
        let scope = breaker.failed(Instant::now(), permit.admit, member, kind, retry_after);
        if scope == FailureScope::Core {
            *lock(&self.last_failure) = Some(failure.clone());
        }
        scope
    }

    /// Resolves a doubt: it is the core's failure.
    pub(crate) fn confirm(&self, kind: CoreFailure, failure: &Failure, by: Option<&str>) {
        *lock(&self.last_failure) = Some(failure.clone());
        lock(&self.breaker).confirm(Instant::now(), kind, by);
    }

    /// Resolves a doubt: it is the failure of those members alone.
    pub(crate) fn dispel(&self) {
        lock(&self.breaker).dispel();
    }

    /// A member that was readable before and is not suspected now; another the next time.
    pub(crate) fn known(&self) -> Option<String> {
        let suspects = lock(&self.breaker).suspects();
        lock(&self.known).next(&suspects)
    }

    /// The members that are not to be asked for in doubt.
    pub(crate) fn suspects(&self) -> Vec<String> {
        lock(&self.breaker).suspects()
    }

    /// Whether the probe under way should ask for a member that was readable before.
    pub(crate) fn probes_by_known(&self) -> bool {
        lock(&self.breaker).probes_by_known()
    }

    /// The core's failure, for those who are deferred.
    pub(crate) fn last_failure(&self) -> Failure {
        lock(&self.last_failure).clone().unwrap_or_else(|| {
            Failure::new(
                Cause::CoreUnavailable,
                FailureKind::Outage,
                "The core cannot be asked now.",
            )
        })
    }

    /// Requests that are under way.
    pub(crate) fn under_way(&self) -> usize {
        lock(&self.pace).under_way()
    }

    /// Whether the breaker is open.
    pub(crate) fn is_tripped(&self) -> bool {
        lock(&self.breaker).is_tripped()
    }

    /// For how long the core has been left alone, and because of what; none where it is not.
    pub(crate) fn open_breaker(&self) -> Option<(Duration, Failure)> {
        let since = lock(&self.breaker).tripped_since()?;
        Some((since.elapsed(), self.last_failure()))
    }
}

impl Permit {
    fn end(&mut self) {
        if !std::mem::replace(&mut self.ended, true) {
            lock(&self.pace).ended(self.begin, Instant::now(), true);
        }
    }
}

impl Drop for Permit {
    /// Nobody waited for the answer.
    fn drop(&mut self) {
        if !self.ended {
            lock(&self.pace).ended(self.begin, Instant::now(), false);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use runtime::Settings;

    use super::*;

    fn bulkhead(requests: usize) -> Arc<Bulkhead> {
        Arc::new(Bulkhead::new(Limits { prefetch: 32, requests, waiting: 8 }))
    }

    fn schedule() -> RetrySchedule {
        RetrySchedule::from_settings(&Settings::from_pairs([("RETRY_DELAYS", "5s,30s,2m")]))
            .unwrap()
    }

    fn away() -> Failure {
        Failure::new(Cause::CoreUnavailable, FailureKind::Outage, "The core is away.")
    }

    async fn acquire(bulkhead: &Bulkhead) -> Result<Permit, Deferral> {
        bulkhead.acquire(Utc::now(), false, &CancellationToken::new()).await
    }

    async fn fail(
        bulkhead: &Bulkhead,
        members: std::ops::Range<usize>,
        retry_after: Option<Duration>,
    ) {
        for member in members {
            let mut permit = acquire(bulkhead).await.ok().unwrap();
            bulkhead.failed(
                &mut permit,
                &member.to_string(),
                (CoreFailure::Away, &away()),
                retry_after,
            );
        }
    }

    #[tokio::test]
    async fn who_waits_is_sent_away_beyond_the_share_only_where_others_need_the_room() {
        let bulkhead = bulkhead(2);
        let under_way: Vec<_> = [acquire(&bulkhead).await, acquire(&bulkhead).await].into();
        let waiting: Vec<_> = (0..10)
            .map(|_| {
                let bulkhead = Arc::clone(&bulkhead);
                tokio::spawn(async move { acquire(&bulkhead).await.map(drop) })
            })
            .collect();
        tokio::task::yield_now().await;
        assert!(waiting.iter().all(|one| !one.is_finished()));
        assert_eq!(bulkhead.make_room(3, &schedule()), 0);
        tokio::task::yield_now().await;
        let (away, left): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(tokio::task::JoinHandle::is_finished);
        assert_eq!((away.len(), left.len()), (7, 3));
        for one in away {
            assert!(matches!(one.await.unwrap(), Err(Deferral::Crowded(_))));
        }
        drop(under_way);
        for one in left {
            assert!(one.await.unwrap().is_ok());
        }
    }

    #[tokio::test]
    async fn a_core_that_asked_for_a_long_pause_is_not_waited_for() {
        let bulkhead = bulkhead(4);
        fail(&bulkhead, 0..1, Some(Duration::from_mins(1))).await;
        assert!(bulkhead.is_tripped());
        let Err(Deferral::Unavailable(wait, failure)) = acquire(&bulkhead).await else { panic!() };
        assert!(wait > Duration::from_secs(50) && wait <= Duration::from_mins(1), "{wait:?}");
        assert_eq!(failure, away());
    }

    #[tokio::test]
    async fn who_is_overdue_asks_a_core_that_is_left_alone() {
        let bulkhead = bulkhead(4);
        fail(&bulkhead, 0..1, Some(Duration::from_mins(1))).await;
        let permit = bulkhead.acquire(Utc::now(), true, &CancellationToken::new()).await;
        assert!(permit.is_ok_and(|permit| matches!(permit.admit, Admit::Rejected(_))));
    }

    #[tokio::test]
    async fn one_event_waits_for_the_probe_and_the_others_are_deferred() {
        let bulkhead = bulkhead(8);
        fail(&bulkhead, 0..5, None).await;
        let prober = {
            let bulkhead = Arc::clone(&bulkhead);
            tokio::spawn(async move {
                let permit = acquire(&bulkhead).await.ok().unwrap();
                bulkhead.readable(permit, "1");
            })
        };
        tokio::task::yield_now().await;
        assert!(matches!(acquire(&bulkhead).await, Err(Deferral::Unavailable(..))));
        prober.await.unwrap();
        assert!(acquire(&bulkhead).await.is_ok());
    }
}
