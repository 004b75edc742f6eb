//! The session that admits and commits, opened again whenever it is lost.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use database::DatabaseConfig;
use runtime::{Check, FailureLog};
use store::{Commit, Reads, Session};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::Span;

use crate::{
    metrics::Metrics,
    writer::{
        commit::{CommitSender, Committed},
        group_commit::commit_requests,
    },
};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Between the beginnings of two attempts, as long as they are shorter.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// A session that stood for so long was a good one.
const STEADY: Duration = Duration::from_secs(5);
/// Requests that may wait for the writer; more than a worker holds.
const WAITING: usize = 1024;

/// A session that stood when somebody looked.
pub(crate) struct WriteSession {
    /// Draws numbers.
    pub(crate) numbers: Session,
    /// Commits what was drawn here, and nothing else (rule worker-4).
    commits: CommitSender,
}

impl WriteSession {
    /// Commits what was read under a number of this session, with whatever else is ready; see [`CommitSender::commit`].
    pub(crate) async fn commit(
        &self,
        commit: Commit,
        parent: &Span,
    ) -> (Committed, Option<Commit>) {
        self.commits.commit(commit, parent).await
    }
}

/// The session that stands now, if any.
#[derive(Clone)]
pub(crate) struct SessionWatch(watch::Receiver<Option<Arc<WriteSession>>>);

impl SessionWatch {
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
    pub(crate) async fn away_for(&self, limit: Duration) {
        let mut receiver = self.0.clone();
        loop {
            if receiver.wait_for(Option::is_none).await.is_err() {
                // Nobody opens sessions any more: the worker ends.
                return std::future::pending().await;
            }
            let back = receiver.wait_for(Option::is_some);
            if tokio::time::timeout(limit, back).await.is_err() {
                return;
            }
        }
    }

    /// The session that stands, waited for; none once `give_up`.
    pub(crate) async fn current(&self, give_up: &CancellationToken) -> Option<Arc<WriteSession>> {
        let mut receiver = self.0.clone();
        tokio::select! {
            biased;
            () = give_up.cancelled() => None,
            session = receiver.wait_for(|session| {
                session.as_ref().is_some_and(|session| !session.numbers.lost().is_cancelled())
            }) => session.ok()?.clone(),
        }
    }
}

async fn keep(
    config: &DatabaseConfig,
    check: &Check,
    metrics: &Arc<Metrics>,
    current: &watch::Sender<Option<Arc<WriteSession>>>,
) {
    let (mut pause, mut failures) = (FIRST_PAUSE, FailureLog::default());
    loop {
        let begun = Instant::now();
        match Session::open(config, Reads::ByKeys).await {
            Ok((numbers, writer)) => {
                let opened = Instant::now();
                let (sender, requests) = mpsc::channel(WAITING);
                tokio::spawn(commit_requests(writer, requests, Arc::clone(metrics)));
                let lost = numbers.lost().clone();
                let session = WriteSession { numbers, commits: CommitSender::new(sender) };
                current.send_replace(Some(Arc::new(session)));
                check.well();
                lost.cancelled().await;
                // One that is lost at once, time and again, is refused what it asks: reconnecting hotly
                // would read from the cores for nothing.
                if opened.elapsed() >= STEADY {
                    pause = FIRST_PAUSE;
                    failures.forget();
                }
                current.send_replace(None);
                let reason = "the session with Postgres was lost";
                check.failing(reason);
                if failures.is_worth_a_line(reason) {
                    tracing::warn!("{reason}");
                } else {
                    tracing::debug!("{reason} again");
                }
            }
            Err(error) => {
                let error = error.to_string();
                if failures.is_worth_a_line(&error) {
                    tracing::warn!(error, "no session with Postgres");
                } else {
                    tracing::debug!(error, "still no session with Postgres");
                }
                check.failing(error);
            }
        }
        // A Postgres that says nothing took its time already.
        tokio::time::sleep(pause.saturating_sub(begun.elapsed()).max(FIRST_PAUSE)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
