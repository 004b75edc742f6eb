//! The session that admits and commits, opened again whenever it is lost.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use database::DatabaseConfig;
use runtime::Check;
use store::{Reads, Session};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    metrics::Metrics,
    writer::commit::{self, Request},
};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Between the beginnings of two attempts, as long as they are shorter.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// A session that stood for so long was a good one.
const STEADY: Duration = Duration::from_secs(5);
/// Requests that may wait for the writer; more than a worker holds.
const WAITING: usize = 1024;

/// A session that stood when somebody looked.
pub(crate) struct Live {
    /// Draws numbers.
    pub(crate) session: Session,
    /// Commits what was drawn here, and nothing else.
    pub(crate) writer: mpsc::Sender<Request>,
}

/// The session that stands now, if any.
#[derive(Clone)]
pub(crate) struct Sessions(watch::Receiver<Option<Arc<Live>>>);

impl Sessions {
    /// Keeps a session open until `stop`.
    pub(crate) fn start(
        config: DatabaseConfig,
        check: Check,
        metrics: Arc<Metrics>,
        stop: CancellationToken,
    ) -> Self {
        let (sender, receiver) = watch::channel(None);
        tokio::spawn(async move {
            tokio::select! {
                () = keep(&config, &check, &metrics, &sender) => {}
                () = stop.cancelled() => {}
            }
        });
        Self(receiver)
    }

    /// Resolves when there has been no session for so long.
    pub(crate) async fn away_for(&self, patience: Duration) {
        let mut receiver = self.0.clone();
        loop {
            if receiver.wait_for(Option::is_none).await.is_err() {
                // Nobody opens sessions any more: the worker ends.
                return std::future::pending().await;
            }
            let back = receiver.wait_for(Option::is_some);
            if tokio::time::timeout(patience, back).await.is_err() {
                return;
            }
        }
    }

    /// The session that stands, waited for; none once `give_up`.
    pub(crate) async fn live(&self, give_up: &CancellationToken) -> Option<Arc<Live>> {
        let mut receiver = self.0.clone();
        tokio::select! {
            biased;
            () = give_up.cancelled() => None,
            live = receiver.wait_for(|live| {
                live.as_ref().is_some_and(|live| !live.session.lost().is_cancelled())
            }) => live.ok()?.clone(),
        }
    }
}

async fn keep(
    config: &DatabaseConfig,
    check: &Check,
    metrics: &Arc<Metrics>,
    current: &watch::Sender<Option<Arc<Live>>>,
) {
    let mut pause = FIRST_PAUSE;
    loop {
        let begun = Instant::now();
        match Session::open(config, Reads::ByKeys).await {
            Ok((session, writer)) => {
                let opened = Instant::now();
                let (sender, requests) = mpsc::channel(WAITING);
                tokio::spawn(commit::commit(writer, requests, Arc::clone(metrics)));
                let lost = session.lost().clone();
                current.send_replace(Some(Arc::new(Live { session, writer: sender })));
                check.well();
                lost.cancelled().await;
                // One that is lost at once, time and again, is refused what it asks: reconnecting hotly
                // would read from the cores for nothing.
                if opened.elapsed() >= STEADY {
                    pause = FIRST_PAUSE;
                }
                current.send_replace(None);
                check.failing("the session with Postgres was lost");
                tracing::warn!("the session with Postgres was lost");
            }
            Err(error) => {
                check.failing(error.to_string());
                tracing::warn!(%error, "Postgres is away");
            }
        }
        // A Postgres that says nothing took its time already.
        tokio::time::sleep(pause.saturating_sub(begun.elapsed()).max(FIRST_PAUSE)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
