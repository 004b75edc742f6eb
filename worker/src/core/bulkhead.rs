//! The way to one campus's core: how many may ask it at once, who may wait for that, and who had
//! better come again later. While the core answers, its slots are kept busy; while it hangs or is
//! away, its campus costs the others nothing.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use retry::{Cause, Failure, FailureKind, RetrySchedule};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::core::{
    breaker::{Breaker, Entry, LONGEST_PAUSE, Trouble, Verdict},
    known_members::Known,
    limits::Share,
    pace::Pace,
    wait_queue::{Line, Slot},
};

/// Why and for how long an event had better come again later.
#[derive(Debug, Clone)]
pub(crate) enum PutOff {
    /// Its core is left alone for so long, because of this.
    Shut(Duration, Failure),
    /// Its core answers, and others need the room: its turn may be in so long.
    Crowded(Duration),
}

/// One campus's gate.
pub(crate) struct Gate {
    share: Share,
    line: Arc<Line>,
    pace: Arc<Mutex<Pace>>,
    /// The one event that waits for the moment of the next probe.
    prober: Semaphore,
    breaker: Mutex<Breaker>,
    /// The last thing that went wrong with the core.
    trouble: Mutex<Option<Failure>>,
    known: Mutex<Known>,
}

/// Leave to send one request. Whoever has it must say how it went.
pub(crate) struct Pass {
    pub(crate) entry: Entry,
    begin: Instant,
    pace: Arc<Mutex<Pace>>,
    ended: bool,
    _slot: Slot,
}

impl Pass {
    /// The request is sent only now: until here it waited for something of ours.
    pub(crate) fn begin(&mut self) {
        let now = Instant::now();
        lock(&self.pace).sent(std::mem::replace(&mut self.begin, now), now);
    }
}

impl Gate {
    pub(crate) fn new(share: Share) -> Self {
        let pace = Pace::new(share.requests, Instant::now());
        Self::with(share, Line::new(share.requests), Arc::new(Mutex::new(pace)))
    }

    /// A gate for the same core after it was configured anew: nothing that is known of it holds
    /// any more, but what is under way still is.
    pub(crate) fn renewed(&self) -> Self {
        Self::with(self.share, Arc::clone(&self.line), Arc::clone(&self.pace))
    }

    fn with(share: Share, line: Arc<Line>, pace: Arc<Mutex<Pace>>) -> Self {
        Self {
            share,
            line,
            pace,
            prober: Semaphore::new(1),
            breaker: Mutex::default(),
            trouble: Mutex::default(),
            known: Mutex::default(),
        }
    }

    /// Waits for leave to send a request, among others by age; not at all, or not for long, where
    /// the core is left alone, and not once `stopping`. Who `is_overdue` asks all the same.
    pub(crate) async fn enter(
        &self,
        since: DateTime<Utc>,
        is_overdue: bool,
        stopping: &CancellationToken,
    ) -> Result<Pass, PutOff> {
        let mut prober = None;
        loop {
            let shut = lock(&self.breaker).shut_for(Instant::now());
            let Some(wait) = shut.filter(|_| !is_overdue) else {
                let slot = self.line.slot(since).await.map_err(PutOff::Crowded)?;
                match lock(&self.breaker).enter(Instant::now()) {
                    // Meanwhile it was left alone, or somebody else became the probe.
                    Entry::Shut(_) if !is_overdue => continue,
                    entry => return Ok(self.pass(entry, slot)),
                }
            };
            // Without one at hand the core could be back for long before an event comes out of
            // the delays and finds out.
            if prober.is_none() {
                prober = self.prober.try_acquire().ok();
            }
            let shut = || PutOff::Shut(wait, self.trouble());
            if prober.is_none() || wait > LONGEST_PAUSE {
                return Err(shut());
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stopping.cancelled() => return Err(shut()),
            }
        }
    }

    fn pass(&self, entry: Entry, slot: Slot) -> Pass {
        let begin = Instant::now();
        lock(&self.pace).asked(begin);
        Pass { entry, begin, pace: Arc::clone(&self.pace), ended: false, _slot: slot }
    }

    /// Where others may need the room, sends those away who wait beyond a share, unless all of them
    /// have their turn in a moment. Answers how many more of the campus may be held.
    pub(crate) fn make_room(&self, share: usize, schedule: &RetrySchedule) -> usize {
        let now = Instant::now();
        self.line.send_away(share, || {
            let mut pace = lock(&self.pace);
            let turn = pace.dry_in(now, share);
            pace.put_off(now, schedule.delay_until_turn(turn));
            turn
        });
        share.saturating_sub(self.line.length())
    }

    /// Whether the core is too slow for all that a worker can hold to wait for it.
    pub(crate) fn is_slow(&self) -> bool {
        !lock(&self.pace).is_fast(Instant::now(), self.share.prefetch)
    }

    /// How many wait to ask the core.
    pub(crate) fn waiting(&self) -> usize {
        self.line.length()
    }

    /// When an event that waits for its member is better back.
    pub(crate) fn turn(&self) -> Duration {
        lock(&self.pace).dry_in(Instant::now(), self.line.length())
    }

    /// The core showed a member.
    pub(crate) fn readable(&self, mut pass: Pass, member: &str) {
        pass.end();
        lock(&self.breaker).readable();
        lock(&self.known).remember(member, Instant::now());
    }

    /// The core answered, but with no member.
    pub(crate) fn answered(&self, mut pass: Pass) {
        pass.end();
        lock(&self.breaker).answered();
    }

    /// The core could not answer about a member as it should, and perhaps said for how long. Where
    /// that is the core's trouble, it is what those are told who are put off.
    pub(crate) fn failed(
        &self,
        pass: &mut Pass,
        member: &str,
        (trouble, failure): (Trouble, &Failure),
        wish: Option<Duration>,
    ) -> Verdict {
        pass.end();
        let mut breaker = lock(&self.breaker);
        let verdict = breaker.failed(Instant::now(), pass.entry, member, trouble, wish);
        if verdict == Verdict::Core {
            *lock(&self.trouble) = Some(failure.clone());
        }
        verdict
    }

    /// Resolves a doubt: it is the core's trouble.
    pub(crate) fn confirm(&self, trouble: Trouble, failure: &Failure, by: Option<&str>) {
        *lock(&self.trouble) = Some(failure.clone());
        lock(&self.breaker).confirm(Instant::now(), trouble, by);
    }

    /// Resolves a doubt: it is the trouble of those members alone.
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

    /// What is wrong with the core, for those who are put off.
    pub(crate) fn trouble(&self) -> Failure {
        lock(&self.trouble).clone().unwrap_or_else(|| {
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

    /// Whether the core is left alone.
    pub(crate) fn is_tripped(&self) -> bool {
        lock(&self.breaker).is_tripped()
    }
}

impl Pass {
    fn end(&mut self) {
        if !std::mem::replace(&mut self.ended, true) {
            lock(&self.pace).ended(self.begin, Instant::now(), true);
        }
    }
}

impl Drop for Pass {
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

    fn gate(requests: usize) -> Arc<Gate> {
        Arc::new(Gate::new(Share { prefetch: 32, requests, waiting: 8 }))
    }

    fn schedule() -> RetrySchedule {
        RetrySchedule::from_settings(&Settings::from_pairs([("RETRY_DELAYS", "5s,30s,2m")]))
            .unwrap()
    }

    fn away() -> Failure {
        Failure::new(Cause::CoreUnavailable, FailureKind::Outage, "The core is away.")
    }

    async fn enter(gate: &Gate) -> Result<Pass, PutOff> {
        gate.enter(Utc::now(), false, &CancellationToken::new()).await
    }

    async fn fail(gate: &Gate, members: std::ops::Range<usize>, wish: Option<Duration>) {
        for member in members {
            let mut pass = enter(gate).await.ok().unwrap();
            gate.failed(&mut pass, &member.to_string(), (Trouble::Away, &away()), wish);
        }
    }

    #[tokio::test]
    async fn who_waits_is_sent_away_beyond_the_share_only_where_others_need_the_room() {
        let gate = gate(2);
        let under_way: Vec<_> = [enter(&gate).await, enter(&gate).await].into();
        let waiting: Vec<_> = (0..10)
            .map(|_| {
                let gate = Arc::clone(&gate);
                tokio::spawn(async move { enter(&gate).await.map(drop) })
            })
            .collect();
        tokio::task::yield_now().await;
        assert!(waiting.iter().all(|one| !one.is_finished()));
        assert_eq!(gate.make_room(3, &schedule()), 0);
        tokio::task::yield_now().await;
        let (away, left): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(tokio::task::JoinHandle::is_finished);
        assert_eq!((away.len(), left.len()), (7, 3));
        for one in away {
            assert!(matches!(one.await.unwrap(), Err(PutOff::Crowded(_))));
        }
        drop(under_way);
        for one in left {
            assert!(one.await.unwrap().is_ok());
        }
    }

    #[tokio::test]
    async fn a_core_that_asked_for_a_long_pause_is_not_waited_for() {
        let gate = gate(4);
        fail(&gate, 0..1, Some(Duration::from_mins(1))).await;
        assert!(gate.is_tripped());
        let Err(PutOff::Shut(wait, trouble)) = enter(&gate).await else { panic!() };
        assert!(wait > Duration::from_secs(50) && wait <= Duration::from_mins(1), "{wait:?}");
        assert_eq!(trouble, away());
    }

    #[tokio::test]
    async fn who_is_overdue_asks_a_core_that_is_left_alone() {
        let gate = gate(4);
        fail(&gate, 0..1, Some(Duration::from_mins(1))).await;
        let pass = gate.enter(Utc::now(), true, &CancellationToken::new()).await;
        assert!(pass.is_ok_and(|pass| matches!(pass.entry, Entry::Shut(_))));
    }

    #[tokio::test]
    async fn one_event_waits_for_the_probe_and_the_others_are_put_off() {
        let gate = gate(8);
        fail(&gate, 0..5, None).await;
        let prober = {
            let gate = Arc::clone(&gate);
            tokio::spawn(async move {
                let pass = enter(&gate).await.ok().unwrap();
                gate.readable(pass, "1");
            })
        };
        tokio::task::yield_now().await;
        assert!(matches!(enter(&gate).await, Err(PutOff::Shut(..))));
        prober.await.unwrap();
        assert!(enter(&gate).await.is_ok());
    }
}
