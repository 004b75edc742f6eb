//! How many members a run asks for at once. Over a thin line heavy answers hinder each other until none comes
//! within its time; then they are asked for one by one.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

/// Requests under way at once: webhooks come first.
pub(crate) const MOST: usize = 8;
/// An answer that took no longer left room for another one, …
const QUICK: Duration = Duration::from_secs(1);
/// … and so many of them in a row are followed by twice as many at once.
const SIGNS: u32 = 16;

#[derive(Debug)]
pub(crate) struct CoreSlots {
    free: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// How many there are.
    slots: usize,
    /// Of those under way, how many slots are not given back.
    surplus: usize,
    quick: u32,
}

/// A request that is under way.
#[derive(Debug)]
pub(crate) struct CoreSlot<'a> {
    slots: &'a CoreSlots,
    permit: Option<SemaphorePermit<'a>>,
    begun: Instant,
}

impl CoreSlots {
    pub(crate) fn new() -> Self {
        let state = State { slots: MOST, surplus: 0, quick: 0 };
        Self { free: Semaphore::new(MOST), state: Mutex::new(state) }
    }

    /// Waits for a slot.
    pub(crate) async fn take(&self) -> CoreSlot<'_> {
        // It is never closed.
        let permit = self.free.acquire().await.ok();
        CoreSlot { slots: self, permit, begun: Instant::now() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CoreSlot<'_> {
    /// The answer came, or was none.
    pub(crate) fn answered(self) {
        let mut state = self.slots.state();
        state.quick = if self.begun.elapsed() <= QUICK { state.quick + 1 } else { 0 };
        if state.quick >= SIGNS && state.slots < MOST {
            let more = state.slots.min(MOST - state.slots);
            let kept = more.min(state.surplus);
            state.surplus -= kept;
            state.slots += more;
            state.quick = 0;
            self.slots.free.add_permits(more - kept);
        }
    }

    /// The answer was coming, and not within its time.
    pub(crate) fn came_too_slowly(self) {
        let mut state = self.slots.state();
        let fewer = state.slots - 1;
        state.surplus += fewer - self.slots.free.forget_permits(fewer);
        state.slots = 1;
        state.quick = 0;
    }
}

impl Drop for CoreSlot<'_> {
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

    use super::{CoreSlots, MOST, SIGNS};

    #[tokio::test(start_paused = true)]
    async fn one_by_one_after_an_answer_came_too_slowly_and_more_after_quick_ones() {
        let slots = CoreSlots::new();
        let mut under_way = Vec::new();
        for _ in 0..MOST {
            under_way.push(slots.take().await);
        }
        assert_eq!(slots.free.available_permits(), 0);
        for slot in under_way {
            slot.came_too_slowly();
        }
        assert_eq!(slots.free.available_permits(), 1);

        for _ in 0..2 * SIGNS {
            let slot = slots.take().await;
            tokio::time::sleep(Duration::from_secs(2)).await;
            slot.answered();
        }
        assert_eq!(
            slots.free.available_permits(),
            1,
            "a line that is full carries no more for two"
        );
        for (round, expected) in [2, 4, 8, 8].into_iter().enumerate() {
            for _ in 0..SIGNS {
                slots.take().await.answered();
            }
            assert_eq!(slots.free.available_permits(), expected, "round {round}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn slots_that_are_under_way_when_there_are_fewer_are_not_given_back() {
        let slots = CoreSlots::new();
        let (one, other, third) = (slots.take().await, slots.take().await, slots.take().await);
        one.came_too_slowly();
        assert_eq!(slots.free.available_permits(), 0);
        drop(other);
        assert_eq!(slots.free.available_permits(), 0);
        third.answered();
        assert_eq!(slots.free.available_permits(), 1);
    }
}
