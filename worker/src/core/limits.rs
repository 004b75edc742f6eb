//! How much of a worker one campus may take (rule worker-12).

/// What one campus may hold of a worker.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// What the worker holds at most.
    pub(crate) prefetch: usize,
    /// Requests under way.
    pub(crate) requests: usize,
    /// Events that wait for their request while others may need the room; shared by all campuses
    /// whose events wait.
    pub(crate) waiting: usize,
}

impl Limits {
    /// The limits in a worker that holds `prefetch` events and may send a core `concurrency`
    /// requests at once: at least half of the worker is not under way to one core, and of what is
    /// left the others keep three eighths.
    pub(crate) fn of(prefetch: usize, concurrency: usize) -> Self {
        let requests = concurrency.min(prefetch / 2).max(1);
        Self { prefetch, requests, waiting: (prefetch - requests.min(prefetch)) * 5 / 8 }
    }

    /// Whether a worker that holds so many has no room for others, as far as anybody knows: what
    /// the queue would bring next is seen only when there is room for it.
    pub(crate) fn is_crowded(&self, held: usize) -> bool {
        held >= self.prefetch - self.prefetch / 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_keep_their_part_of_a_worker() {
        for (prefetch, concurrency) in [(1, 1), (2, 16), (8, 16), (256, 16), (256, 1000)] {
            let limits = Limits::of(prefetch, concurrency);
            assert!(limits.requests >= 1 && limits.requests <= concurrency);
            assert!(limits.requests <= (prefetch / 2).max(1), "{prefetch}");
            let others = prefetch - limits.requests - limits.waiting;
            assert!(others >= prefetch * 3 / 16, "{others} of {prefetch}");
        }
    }
}
