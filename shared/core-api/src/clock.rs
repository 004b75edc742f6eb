//! How long a request may take: the core's time, without what we have it wait.

use std::{future::Future, time::Duration};

use tokio::time::Instant;

pub(crate) struct Clock {
    deadline: Instant,
}

impl Clock {
    pub(crate) fn start(limit: Duration) -> Self {
        Self { deadline: Instant::now() + limit }
    }

    /// What the core does; none where the time is over before.
    pub(crate) async fn run<T>(&self, step: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout_at(self.deadline, step).await.ok()
    }

    /// What we do ourselves meanwhile: it is not on the core's time.
    pub(crate) async fn pause<T>(&mut self, step: impl Future<Output = T>) -> T {
        let begin = Instant::now();
        let result = step.await;
        self.deadline += begin.elapsed();
        result
    }
}
