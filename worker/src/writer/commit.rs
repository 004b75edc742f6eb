//! Group commit: whatever is ready goes into one transaction. There is no timer: alone, an event
//! commits at once; under load batches form while the one before is on its way to disk.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use retry::{Cause, Failure, FailureKind};
use runtime::TRACES;
use store::{Commit, DeliveryStatus, Outcome, SyncWriter};
use tokio::sync::{mpsc, oneshot};
use tracing::{Instrument, Span, field::Empty};

use crate::{
    metrics::Metrics,
    writer::{committer::Committer, session::Live},
};

/// Commits in one transaction; more than this would only make a failure dearer.
const LARGEST_BATCH: usize = 256;

/// Before what was locked is tried once more: most locks are another worker's, and gone by then.
const LOCK_PAUSE: Duration = Duration::from_millis(300);

/// What became of a commit.
#[derive(Debug)]
pub(crate) enum Committed {
    /// It is on disk, and its deliveries are logged as this; none for one that was done before.
    Done(Vec<Option<DeliveryStatus>>),
    /// Something else about the member was applied meanwhile: read again.
    Refused,
    /// The campus's configuration is another one by now: read again, under that.
    Outdated,
    /// Members here have the same phone and name: whether they are gone from the core is to be asked, and the
    /// same committed again. Nothing was written.
    Namesakes(Vec<String>),
    /// Somebody else has locked what it would write: nothing is wrong with it, and nothing was written.
    Locked(Failure),
    /// Postgres does not take its row.
    Failed(Failure),
    /// The session was lost; nobody knows whether it was written. Draw and read again.
    Lost,
}

/// Something to commit, and who waits for it.
pub(crate) struct Request {
    commit: Commit,
    /// In the trace of the event: from the wish to the disk.
    span: Span,
    /// What became of it, and the commit itself, which may be tried once more.
    answer: oneshot::Sender<(Committed, Commit)>,
}

impl Live {
    /// Commits with whatever else is ready, for the event that `parent` is the span of. Answers the commit too,
    /// as long as the session stands.
    pub(crate) async fn commit(
        &self,
        commit: Commit,
        parent: &Span,
    ) -> (Committed, Option<Commit>) {
        let span = tracing::info_span!(
            target: TRACES,
            parent: parent.id(),
            "COMMIT",
            otel.kind = "client",
            otel.status_code = Empty,
            db.system.name = "postgresql",
            db.operation.name = "COMMIT",
            "error.type" = Empty,
        );
        let (mut committed, mut left) = self.try_to_commit(commit, &span).await;
        if let Committed::Locked(_) = &committed
            && let Some(commit) = left.take()
        {
            tokio::time::sleep(LOCK_PAUSE).await;
            (committed, left) = self.try_to_commit(commit, &span).await;
        }
        if let Some(error) = committed.error() {
            span.record("error.type", error);
            span.record("otel.status_code", "ERROR");
        }
        (committed, left)
    }

    async fn try_to_commit(&self, commit: Commit, span: &Span) -> (Committed, Option<Commit>) {
        let (answer, answered) = oneshot::channel();
        let request = Request { commit, span: span.clone(), answer };
        if self.writer.send(request).await.is_err() {
            return (Committed::Lost, None);
        }
        answered
            .await
            .map_or((Committed::Lost, None), |(committed, commit)| (committed, Some(commit)))
    }
}

/// Commits requests until nobody can send any, or the session is lost.
pub(crate) async fn commit(
    writer: SyncWriter,
    mut requests: mpsc::Receiver<Request>,
    metrics: Arc<Metrics>,
) {
    let mut committer = Committer::new(writer);
    let mut batch = Vec::with_capacity(LARGEST_BATCH);
    while requests.recv_many(&mut batch, LARGEST_BATCH).await > 0 {
        let begin = Instant::now();
        let commits: Vec<&Commit> = batch.iter().map(|request| &request.commit).collect();
        let results = committer.commit(&commits).instrument(span_of(&batch)).await;
        metrics.committed(commits.len(), begin.elapsed());
        for (request, result) in batch.drain(..).zip(results) {
            request.answer.send((result, request.commit)).ok();
        }
        if committer.is_lost() {
            // Dropping the receiver tells those who wait, and those who come.
            return;
        }
    }
}

/// One transaction for many events: shown in the trace of one, and linked with all.
fn span_of(batch: &[Request]) -> Span {
    let spans = || batch.iter().map(|request| &request.span);
    let span = tracing::info_span!(
        target: TRACES,
        parent: runtime::leader(spans()).and_then(Span::id),
        "commit batch",
        db.system.name = "postgresql",
        db.operation.batch.size = runtime::number(batch.len()),
    );
    runtime::share(&span, spans(), "committed together");
    span
}

impl Committed {
    pub(crate) fn locked() -> Self {
        Self::Locked(Failure::new(
            Cause::Database,
            FailureKind::Outage,
            "The member's row, or its campus's configuration, is locked by somebody else.",
        ))
    }

    /// Why it is not on disk, in a word from a closed list.
    fn error(&self) -> Option<&'static str> {
        match self {
            Self::Done(_) | Self::Namesakes(_) => None,
            Self::Refused => Some("superseded"),
            Self::Outdated => Some("configuration_changed"),
            Self::Locked(failure) | Self::Failed(failure) => Some(failure.cause.as_str()),
            Self::Lost => Some("session_lost"),
        }
    }
}

impl From<Outcome> for Committed {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done(statuses) => Self::Done(statuses),
            Outcome::Refused => Self::Refused,
            Outcome::Outdated => Self::Outdated,
            Outcome::Namesakes(members) => Self::Namesakes(members),
            Outcome::Locked => Self::locked(),
        }
    }
}
