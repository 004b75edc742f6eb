//! How many members one core is asked for at once. Over a thin line heavy answers hinder each other until none comes
//! within its time; then they are asked for one by one (rule core-api-8).

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

use crate::{CoreError, Unreachable};

/// An answer that took no longer left room for another one: it counts as several, …
const QUICK: Duration = Duration::from_secs(1);
const QUICK_SIGNS: u32 = 4;
/// … and so many in a row are followed by twice as many requests at once. A core that is slow whatever it is asked for
/// gets its requests back, too.
const SIGNS: u32 = 64;

/// So many requests at most, and fewer as long as answers come too slowly.
#[derive(Debug)]
pub struct RequestSlots {
    most: usize,
    free: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// How many there are.
    slots: usize,
    /// Of those under way, how many slots are not given back.
    surplus: usize,
    /// That there is room for more.
    signs: u32,
}

/// A request that is under way.
#[derive(Debug)]
pub struct RequestSlot<'a> {
    slots: &'a RequestSlots,
    permit: Option<SemaphorePermit<'a>>,
    begun: Instant,
}

impl RequestSlots {
    /// All of them free.
    pub fn new(most: usize) -> Self {
        let state = State { slots: most, surplus: 0, signs: 0 };
        Self { most, free: Semaphore::new(most), state: Mutex::new(state) }
    }

    /// Waits for a slot.
    pub async fn take(&self) -> RequestSlot<'_> {
        // It is never closed.
        let permit = self.free.acquire().await.ok();
        RequestSlot { slots: self, permit, begun: Instant::now() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RequestSlot<'_> {
    /// Gives the slot back; `error` is why there is no member, where there is none.
    pub fn ended(self, error: Option<&CoreError>) {
        match error {
            Some(CoreError::Unreachable { kind: Unreachable::Slow, .. }) => self.came_too_slowly(),
            _ => self.answered(),
        }
    }

    fn answered(&self) {
        let most = self.slots.most;
        let mut state = self.slots.state();
        state.signs += if self.begun.elapsed() <= QUICK { QUICK_SIGNS } else { 1 };
        if state.signs >= SIGNS && state.slots < most {
            let more = state.slots.min(most - state.slots);
            let kept = more.min(state.surplus);
            state.surplus -= kept;
            state.slots += more;
            state.signs = 0;
            self.slots.free.add_permits(more - kept);
        }
    }

    /// It was coming, and not within its time.
    fn came_too_slowly(&self) {
        let mut state = self.slots.state();
        let fewer = state.slots - 1;
        state.surplus += fewer - self.slots.free.forget_permits(fewer);
        state.slots = 1;
        state.signs = 0;
    }
}

impl Drop for RequestSlot<'_> {
    fn drop(&mut self) {
        let mut state = self.slots.state();
        if let Some(permit) = self.permit.take().filter(|_| state.surplus > 0) {
            state.surplus -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{QUICK_SIGNS, RequestSlots, SIGNS};
    use crate::{CoreError, Operation, Unreachable};

    const MOST: usize = 8;

    fn slow() -> CoreError {
        let (call, kind) = (Operation::FetchMember.into(), Unreachable::Slow);
        CoreError::Unreachable { call, kind, source: None }
    }

    #[tokio::test(start_paused = true)]
    async fn one_by_one_after_an_answer_came_too_slowly_and_more_after_quick_ones() {
        let slots = RequestSlots::new(MOST);
        let mut under_way = Vec::new();
        for _ in 0..MOST {
            under_way.push(slots.take().await);
        }
        assert_eq!(slots.free.available_permits(), 0);
        for slot in under_way {
            slot.ended(Some(&slow()));
        }
        assert_eq!(slots.free.available_permits(), 1);

        for (round, expected) in [2, 4, 8, 8].into_iter().enumerate() {
            for _ in 0..SIGNS / QUICK_SIGNS {
                slots.take().await.ended(None);
            }
            assert_eq!(slots.free.available_permits(), expected, "round {round}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn slow_answers_that_come_in_time_are_signs_too() {
        let slots = RequestSlots::new(MOST);
        slots.take().await.ended(Some(&slow()));
        for _ in 0..SIGNS {
            assert_eq!(slots.free.available_permits(), 1);
            let slot = slots.take().await;
            tokio::time::sleep(Duration::from_secs(2)).await;
            slot.ended(None);
        }
        assert_eq!(slots.free.available_permits(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn slots_that_are_under_way_when_there_are_fewer_are_not_given_back() {
        let slots = RequestSlots::new(MOST);
        let (one, other, third) = (slots.take().await, slots.take().await, slots.take().await);
        one.ended(Some(&slow()));
        assert_eq!(slots.free.available_permits(), 0);
        drop(other);
        assert_eq!(slots.free.available_permits(), 0);
        third.ended(None);
        assert_eq!(slots.free.available_permits(), 1);
    }
}
