//! How many connections may be open at once.

use std::sync::Arc;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Open connections at most; a connection costs a task and up to a read buffer of memory.
const MOST: usize = 10_000;
/// Files kept for everything else: RabbitMQ, Postgres, the admin port, certificates.
const OTHER_FILES: usize = 64;

/// The cap on connections. Beyond it the kernel's backlog holds those who want in.
pub(crate) struct Connections {
    permits: Arc<Semaphore>,
    limit: usize,
}

impl Connections {
    /// The cap, as far as the limit of open files allows: that is raised as far as it may be,
    /// since the usual 1024 are few.
    pub(crate) fn new() -> Self {
        let limit = MOST.min(open_files(MOST + OTHER_FILES).saturating_sub(OTHER_FILES)).max(1);
        if limit < MOST {
            tracing::warn!(limit, "the limit of open files allows fewer connections than usual");
        }
        Self { permits: Arc::new(Semaphore::new(limit)), limit }
    }

    /// Waits until one more may be open.
    pub(crate) async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).acquire_owned().await.ok()
    }

    /// Whether one more may be open now.
    pub(crate) fn try_permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).try_acquire_owned().ok()
    }

    /// Whether so many are open that idle ones must make room.
    pub(crate) fn is_crowded(&self) -> bool {
        self.permits.available_permits() < self.limit / 5
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }
}

/// How many files may be open, after asking for `wanted`.
fn open_files(wanted: usize) -> usize {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return wanted };
    let raised = u64::try_from(wanted).unwrap_or(u64::MAX).min(hard);
    let allowed = if soft < raised && setrlimit(Resource::RLIMIT_NOFILE, raised, hard).is_ok() {
        raised
    } else {
        soft
    };
    usize::try_from(allowed).unwrap_or(usize::MAX)
}
