//! What a worker has in hand.

use std::{collections::HashMap, future::pending, time::Duration};

use tokio::{
    task::{JoinError, JoinSet},
    time::Instant,
};
use uuid::Uuid;

/// What was given back for want of RabbitMQ is left to others for so long.
const STAND_BACK: Duration = Duration::from_secs(5);

/// How an operation leaves a worker's hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Released {
    /// Whoever can may take it.
    Freely,
    /// Others first.
    StandingBack,
}

/// The operations that a worker carries out, and those that it has just given back.
#[derive(Debug, Default)]
pub(super) struct Hands {
    tasks: JoinSet<(Uuid, Released)>,
    /// Until when each is not to be taken; none: as long as it is in hand. Its own lease that ended while Postgres was slow
    /// would else be taken a second time by the same worker.
    apart: HashMap<Uuid, Option<Instant>>,
}

impl Hands {
    /// Carries one out.
    pub(super) fn take(
        &mut self,
        operation: Uuid,
        work: impl Future<Output = Released> + Send + 'static,
    ) {
        self.apart.insert(operation, None);
        self.tasks.spawn(async move { (operation, work.await) });
    }

    /// Looks which have ended.
    pub(super) fn look(&mut self) {
        while let Some(ended) = self.tasks.try_join_next() {
            self.put_down(&ended);
        }
        let now = Instant::now();
        self.apart.retain(|_, until| until.is_none_or(|until| until > now));
    }

    /// Waits until one has ended.
    pub(super) async fn one_ends(&mut self) {
        match self.tasks.join_next().await {
            Some(ended) => self.put_down(&ended),
            None => pending().await,
        }
    }

    fn put_down(&mut self, ended: &Result<(Uuid, Released), JoinError>) {
        // One that is aborted, as the worker ends at once, is none that another could be taken for.
        let Ok((operation, released)) = ended else { return };
        match released {
            Released::Freely => self.apart.remove(operation),
            Released::StandingBack => {
                self.apart.insert(*operation, Some(Instant::now() + STAND_BACK))
            }
        };
    }

    /// How many are carried out.
    pub(super) fn number(&self) -> usize {
        self.tasks.len()
    }

    /// What is not to be taken now.
    pub(super) fn apart(&self) -> Vec<Uuid> {
        self.apart.keys().copied().collect()
    }

    /// Waits until all have ended, or were given back.
    pub(super) async fn empty(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}
