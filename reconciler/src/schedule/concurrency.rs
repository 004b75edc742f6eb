//! Several campuses at once, as many as there are connections for. A core that is slow then keeps
//! its own campus waiting and no other.

use std::collections::VecDeque;

use futures_util::{FutureExt, StreamExt, future::LocalBoxFuture, stream::FuturesUnordered};
use uuid::Uuid;

use crate::run::locked::Ended;

/// The runs under way, and who comes next.
pub(crate) struct ConcurrentRuns {
    most: usize,
    waiting: VecDeque<Uuid>,
    under_way: Vec<Uuid>,
    /// In the task that waits for them: pages are read and classified in tasks of their own.
    runs: FuturesUnordered<LocalBoxFuture<'static, (Uuid, Ended)>>,
}

impl ConcurrentRuns {
    /// At most so many at once.
    pub(crate) fn new(most: usize) -> Self {
        let (waiting, under_way) = (VecDeque::new(), Vec::new());
        Self { most, waiting, under_way, runs: FuturesUnordered::new() }
    }

    /// These are to come next, but for those who are under way; nobody else.
    pub(crate) fn queue(&mut self, campuses: Vec<Uuid>) {
        let is_new = |campus: &Uuid| !self.under_way.contains(campus);
        self.waiting = campuses.into_iter().filter(is_new).collect();
    }

    /// Begins runs as long as there is room for them.
    pub(crate) fn begin<F: Future<Output = Ended> + 'static>(&mut self, run: impl Fn(Uuid) -> F) {
        while self.has_room()
            && let Some(campus) = self.waiting.pop_front()
        {
            self.under_way.push(campus);
            self.runs.push(run(campus).map(move |ended| (campus, ended)).boxed_local());
        }
    }

    /// Whether another one may begin.
    pub(crate) fn has_room(&self) -> bool {
        self.runs.len() < self.most
    }

    /// Begins a run that an operator asked for.
    pub(crate) fn add(&mut self, campus: Uuid, run: impl Future<Output = Ended> + 'static) {
        self.under_way.push(campus);
        self.runs.push(run.map(move |ended| (campus, ended)).boxed_local());
    }

    /// Waits for a run to end; none where none is under way. May be dropped at any point.
    pub(crate) async fn next(&mut self) -> Option<(Uuid, Ended)> {
        let (campus, ended) = self.runs.next().await?;
        self.under_way.retain(|other| *other != campus);
        Some((campus, ended))
    }
}
