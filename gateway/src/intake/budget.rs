//! How many bytes of bodies may be in memory at once (rule gateway-4).

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Bytes of bodies that may be in memory at once: sixteen of the largest that are usual.
pub(crate) const BODY_BYTES: usize = 256 * 1024 * 1024;

/// Bytes beyond them that only small bodies may take: honest webhooks pass by whatever fills the rest.
pub(crate) const SMALL_BODY_RESERVE_BYTES: usize = 32 * 1024 * 1024;

/// A body that holds no more is small; nearly every webhook's is.
const SMALL: usize = 64 * 1024;

/// A number of bytes that all requests share, and some beyond it that only small bodies may take.
/// It is charged as bytes arrive: a sender that only announces a large body takes nothing of it.
pub(crate) struct Budget {
    limit: usize,
    reserve: usize,
    used: AtomicUsize,
}

/// What one request has taken of a [`Budget`]; given back when dropped.
pub(crate) struct Charge {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    pub(crate) fn new(limit: usize, reserve: usize) -> Arc<Self> {
        Arc::new(Self { limit, reserve, used: AtomicUsize::new(0) })
    }

    /// An empty charge, which grows with its request's body.
    pub(crate) fn charge(self: &Arc<Self>) -> Charge {
        Charge { budget: Arc::clone(self), bytes: 0 }
    }

    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

impl Charge {
    /// Takes `bytes` in all; false where the budget has not that much left. Never shrinks.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let reserve = if bytes <= SMALL { self.budget.reserve } else { 0 };
        let before = self.budget.used.fetch_add(more, Ordering::Relaxed);
        if before.saturating_add(more) > self.budget.limit + reserve {
            self.budget.used.fetch_sub(more, Ordering::Relaxed);
            return false;
        }
        self.bytes += more;
        true
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_given_back() {
        let budget = Budget::new(100, 0);
        let mut first = budget.charge();
        let mut second = budget.charge();
        assert!(first.grow_to(60));
        assert!(!second.grow_to(41));
        assert!(second.grow_to(40));
        assert!(second.grow_to(10));
        assert_eq!(budget.used(), 100);
        drop(first);
        assert!(second.grow_to(100));
        drop(second);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn small_bodies_have_a_reserve() {
        let budget = Budget::new(2 * SMALL, SMALL);
        let [mut large, mut small] = [budget.charge(), budget.charge()];
        assert!(large.grow_to(2 * SMALL));
        assert!(!budget.charge().grow_to(SMALL + 1));
        assert!(small.grow_to(SMALL));
        assert!(!budget.charge().grow_to(1));
    }
}
