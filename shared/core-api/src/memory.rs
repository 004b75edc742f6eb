//! The memory that the core's answers take, photos included: bounded in bytes, shared by campuses.
//!
//! A request waits until there is room for what the campus's answers took of late, and its answer is charged
//! as it comes. What grows beyond that takes more as long as there is some. Only one at a time may go beyond
//! the bound: without that, several halves of answers could wait for each other for ever. So an answer is
//! always possible, and what is held is at most the bound and one answer.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

/// What an answer takes as far as nothing is known of a campus's.
const USUAL_ANSWER: usize = 64 * 1024;

/// The memory of a process for answers of all its cores.
#[derive(Debug)]
pub struct AnswerMemory {
    all: Arc<Semaphore>,
    /// Leave to go beyond the bound.
    beyond: Arc<Mutex<()>>,
    bytes: usize,
}

/// One campus's part in it: half, so that heavy photos of one leave room for the others.
#[derive(Debug)]
pub struct MemoryShare {
    memory: Arc<AnswerMemory>,
    own: Arc<Semaphore>,
    bytes: usize,
    /// What its answers took of late, the larger ones counting more.
    usual: AtomicUsize,
}

impl AnswerMemory {
    /// Room for so many bytes.
    pub fn new(bytes: usize) -> Arc<Self> {
        let bytes = bytes.clamp(1, u32::MAX as usize);
        let (all, beyond) = (Arc::new(Semaphore::new(bytes)), Arc::default());
        Arc::new(Self { all, beyond, bytes })
    }

    /// What is held now.
    pub fn held(&self) -> usize {
        self.bytes - self.all.available_permits()
    }

    /// A part for one more campus.
    pub fn share(self: &Arc<Self>) -> Arc<MemoryShare> {
        let bytes = (self.bytes / 2).max(1);
        Arc::new(MemoryShare {
            memory: Arc::clone(self),
            own: Arc::new(Semaphore::new(bytes)),
            bytes,
            usual: AtomicUsize::new(USUAL_ANSWER.min(bytes)),
        })
    }
}

impl MemoryShare {
    /// Waits until there is room for one more answer.
    pub async fn enter(self: &Arc<Self>) -> Charge {
        let usual = self.usual.load(Ordering::Relaxed);
        let permits = self.permits(usual).await;
        self.charge(permits, usual)
    }

    /// The same where there is room now.
    pub fn try_enter(self: &Arc<Self>) -> Option<Charge> {
        let usual = self.usual.load(Ordering::Relaxed);
        let number = u32::try_from(usual).unwrap_or(u32::MAX);
        let own = Arc::clone(&self.own).try_acquire_many_owned(number).ok()?;
        let all = Arc::clone(&self.memory.all).try_acquire_many_owned(number).ok()?;
        Some(self.charge(Some(Permits { own, all }), usual))
    }

    fn charge(self: &Arc<Self>, permits: Option<Permits>, usual: usize) -> Charge {
        let held = Held { permits, most: usual.min(USUAL_ANSWER), beyond: None };
        Charge { share: Some(Arc::clone(self)), held: Mutex::new(held) }
    }

    async fn permits(&self, bytes: usize) -> Option<Permits> {
        let number = u32::try_from(bytes).unwrap_or(u32::MAX);
        let own = Arc::clone(&self.own).acquire_many_owned(number).await.ok()?;
        let all = Arc::clone(&self.memory.all).acquire_many_owned(number).await.ok()?;
        Some(Permits { own, all })
    }

    /// An answer took so much: the next ones may, too.
    fn took(&self, bytes: usize) {
        let before = self.usual.load(Ordering::Relaxed);
        let usual = bytes.max(before - before / 8).clamp(1, self.bytes);
        self.usual.store(usual, Ordering::Relaxed);
    }
}

/// What one answer takes, until it is dropped: while it is read, and what is kept of it after that.
#[derive(Debug)]
pub struct Charge {
    /// None: nobody counts.
    share: Option<Arc<MemoryShare>>,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    permits: Option<Permits>,
    beyond: Option<OwnedMutexGuard<()>>,
    /// The most that was asked for.
    most: usize,
}

#[derive(Debug)]
struct Permits {
    own: OwnedSemaphorePermit,
    all: OwnedSemaphorePermit,
}

impl Charge {
    /// Of an answer that nobody bounds the memory of: there are few of them at a time.
    pub fn free() -> Self {
        Self { share: None, held: Mutex::default() }
    }

    /// Charges for `bytes` in all; waits while there is no room for them.
    pub(crate) async fn hold(&self, bytes: usize) {
        let Some(share) = &self.share else { return };
        let mut held = self.held.lock().await;
        held.most = held.most.max(bytes);
        let missing = bytes.saturating_sub(held.bytes());
        if missing == 0 || held.beyond.is_some() {
            return;
        }
        let beyond = Arc::clone(&share.memory.beyond).lock_owned();
        // What does not fit at all would only stand in the way of others.
        if bytes > share.bytes {
            held.beyond = Some(beyond.await);
            return;
        }
        tokio::select! {
            biased;
            permits = share.permits(missing) => held.add(permits),
            leave = beyond => held.beyond = Some(leave),
        }
    }

    /// Of the answer only so much is left: the rest is free for others.
    pub fn keep(&mut self, bytes: usize) {
        let Some(share) = &self.share else { return };
        let held = self.held.get_mut();
        share.took(held.most);
        held.shrink(bytes);
    }
}

impl Held {
    fn bytes(&self) -> usize {
        self.permits.as_ref().map_or(0, |permits| permits.all.num_permits())
    }

    fn add(&mut self, more: Option<Permits>) {
        match (&mut self.permits, more) {
            (Some(permits), Some(more)) => {
                permits.own.merge(more.own);
                permits.all.merge(more.all);
            }
            (permits @ None, more) => *permits = more,
            (Some(_), None) => {}
        }
    }

    fn shrink(&mut self, bytes: usize) {
        let surplus = self.bytes().saturating_sub(bytes);
        if let Some(Permits { own, all }) = &mut self.permits {
            drop(own.split(surplus));
            drop(all.split(surplus));
        }
        if self.bytes() >= bytes {
            self.beyond = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MIB: usize = 1024 * 1024;

    async fn stands<T>(future: impl Future<Output = T>) -> bool {
        tokio::time::timeout(Duration::from_mins(1), future).await.is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_is_held_until_it_is_dropped() {
        let memory = AnswerMemory::new(64 * MIB);
        let share = memory.share();
        let mut charge = share.enter().await;
        charge.hold(7 * MIB).await;
        assert_eq!(memory.held(), 7 * MIB);
        charge.keep(5 * MIB);
        assert_eq!(memory.held(), 5 * MIB);
        drop(charge);
        assert_eq!(memory.held(), 0);
        // The next is expected to be as large.
        let next = share.enter().await;
        assert_eq!(memory.held(), 7 * MIB);
        drop(next);
    }

    #[tokio::test(start_paused = true)]
    async fn halves_of_answers_never_wait_for_each_other_for_ever() {
        let memory = AnswerMemory::new(8 * MIB);
        let share = memory.share();
        let answers = (0..32).map(|_| {
            let share = Arc::clone(&share);
            tokio::spawn(async move {
                let mut charge = share.enter().await;
                for size in 1..=6 {
                    charge.hold(size * MIB).await;
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                charge.keep(MIB);
                tokio::time::sleep(Duration::from_millis(50)).await;
            })
        });
        for answer in answers.collect::<Vec<_>>() {
            assert!(tokio::time::timeout(Duration::from_mins(5), answer).await.is_ok());
        }
        assert_eq!(memory.held(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_larger_than_everything_goes_alone() {
        let memory = AnswerMemory::new(2 * MIB);
        let share = memory.share();
        let large = share.enter().await;
        large.hold(64 * MIB).await;
        let other = share.enter().await;
        assert!(stands(other.hold(32 * MIB)).await);
        drop(large);
        other.hold(32 * MIB).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_campus_leaves_half_to_the_others() {
        let memory = AnswerMemory::new(16 * MIB);
        let (heavy, light) = (memory.share(), memory.share());
        let first = heavy.enter().await;
        first.hold(4 * MIB).await;
        let second = heavy.enter().await;
        second.hold(4 * MIB).await;
        assert!(stands(heavy.enter()).await, "its half is held");
        assert!(!stands(async { light.enter().await.hold(8 * MIB).await }).await);
        drop((first, second));
    }
}
