//! What the parts of the worker share.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;

use crate::{
    core::cores::Cores, event::settle::Settler, metrics::Metrics, writer::session::SessionWatch,
};

/// What whatever works on an event needs.
pub(crate) struct WorkerContext {
    pub(crate) settler: Settler,
    pub(crate) sessions: SessionWatch,
    pub(crate) cores: Arc<Cores>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) give_back: GiveBackSignal,
}

impl WorkerContext {
    /// Whether what is held leaves no room to see what others have in the queue.
    pub(crate) fn is_crowded(&self) -> bool {
        self.cores.limits().is_crowded(self.metrics.held())
    }
}

/// Raised late in a drain, and when Postgres is away for long: what is still held goes back to the queue.
#[derive(Default)]
pub(crate) struct GiveBackSignal(ArcSwap<CancellationToken>);

impl GiveBackSignal {
    /// Cancelled when the signal is raised.
    pub(crate) fn token(&self) -> Arc<CancellationToken> {
        self.0.load_full()
    }

    pub(crate) fn raise(&self) {
        self.0.load().cancel();
    }

    /// Lets what is taken from now on be worked on.
    pub(crate) fn renew(&self) {
        self.0.store(Arc::default());
    }
}
