//! Those who wait for one of a core's requests: the oldest event goes first, whenever it came here,
//! and where others need the room the youngest leave. So an event that is deferred again and again
//! grows old, and comes first in the end.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio::sync::oneshot;

/// So many requests, and who waits for them.
#[derive(Debug)]
pub(crate) struct WaitQueue(Mutex<State>);

#[derive(Debug)]
struct State {
    free: usize,
    waiting: BTreeMap<Place, oneshot::Sender<Answer>>,
    /// Tells apart those who are equally old.
    came: u64,
}

/// Since when an event waits to be done, and which of those.
type Place = (DateTime<Utc>, u64);

/// What whoever waits is told.
type Answer = Result<Slot, Duration>;

/// Leave to have one request under way, until it is dropped.
#[derive(Debug)]
pub(crate) struct Slot(Option<Arc<WaitQueue>>);

impl WaitQueue {
    pub(crate) fn new(slots: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { free: slots, waiting: BTreeMap::new(), came: 0 })))
    }

    /// A slot, waited for by an event of `since`; or, after how long to come again.
    pub(crate) async fn slot(self: &Arc<Self>, since: DateTime<Utc>) -> Answer {
        let (place, answer) = {
            let mut state = self.state();
            if state.free > 0 {
                state.free -= 1;
                return Ok(Slot(Some(Arc::clone(self))));
            }
            state.came += 1;
            let (place, (sender, answer)) = ((since, state.came), oneshot::channel());
            state.waiting.insert(place, sender);
            (place, answer)
        };
        let _leaves = Leaves { queue: self, place };
        answer.await.unwrap_or(Err(Duration::ZERO))
    }

    /// How many wait.
    pub(crate) fn length(&self) -> usize {
        self.state().waiting.len()
    }

    /// Sends the youngest away, until no more than `most` wait; each after what `later` says.
    pub(crate) fn send_away(&self, most: usize, mut later: impl FnMut() -> Duration) {
        let mut state = self.state();
        while state.waiting.len() > most
            && let Some((_, sender)) = state.waiting.pop_last()
        {
            // Who is gone meanwhile needs no answer.
            sender.send(Err(later())).ok();
        }
    }

    fn release(self: Arc<Self>) {
        let mut state = self.state();
        let mut slot = Slot(Some(Arc::clone(&self)));
        while let Some((_, sender)) = state.waiting.pop_first() {
            // Whoever does not wait any more gives it back.
            let Err(Ok(unwanted)) = sender.send(Ok(slot)) else { return };
            slot = unwanted;
        }
        slot.0 = None;
        state.free += 1;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(queue) = self.0.take() {
            queue.release();
        }
    }
}

/// Takes whoever waits no longer out of the queue.
struct Leaves<'a> {
    queue: &'a WaitQueue,
    place: Place,
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.queue.state().waiting.remove(&self.place);
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use tokio::task::{JoinHandle, yield_now};

    use super::*;

    fn wait(queue: &Arc<WaitQueue>, age: i64) -> JoinHandle<Answer> {
        let queue = Arc::clone(queue);
        let since = DateTime::UNIX_EPOCH - TimeDelta::seconds(age);
        tokio::spawn(async move { queue.slot(since).await })
    }

    #[tokio::test]
    async fn the_oldest_goes_first_whenever_it_came() {
        let queue = WaitQueue::new(1);
        let first = queue.slot(Utc::now()).await.unwrap();
        let mut waiting = Vec::new();
        for age in [1, 3, 2] {
            waiting.push((age, wait(&queue, age)));
            yield_now().await;
        }
        waiting.sort_by_key(|(age, _)| -*age);
        let mut slot = first;
        for (age, one) in waiting {
            drop(slot);
            slot = one.await.unwrap().unwrap_or_else(|_| panic!("{age} was sent away"));
        }
        drop(slot);
        assert!(queue.slot(Utc::now()).await.is_ok());
    }

    #[tokio::test]
    async fn the_youngest_leave_where_others_need_the_room() {
        let queue = WaitQueue::new(1);
        let _under_way = queue.slot(Utc::now()).await.unwrap();
        let mut waiting: Vec<_> = (0..5).map(|age| wait(&queue, age)).collect();
        yield_now().await;
        queue.send_away(2, || Duration::from_secs(7));
        yield_now().await;
        assert_eq!(queue.length(), 2);
        for young in waiting.drain(..3) {
            assert_eq!(young.await.unwrap().unwrap_err(), Duration::from_secs(7));
        }
        assert!(waiting.iter().all(|old| !old.is_finished()));
    }

    #[tokio::test]
    async fn a_slot_that_nobody_takes_any_more_goes_to_the_next() {
        let queue = WaitQueue::new(1);
        let slot = queue.slot(Utc::now()).await.unwrap();
        let gone = wait(&queue, 9);
        let next = wait(&queue, 1);
        yield_now().await;
        // Neither whoever left the queue, nor whoever leaves with the slot already sent.
        gone.abort();
        drop(slot);
        let slot = next.await.unwrap().unwrap();
        let gone = wait(&queue, 9);
        yield_now().await;
        drop(slot);
        gone.abort();
        yield_now().await;
        assert_eq!(queue.length(), 0);
        assert!(queue.slot(Utc::now()).await.is_ok());
    }
}
