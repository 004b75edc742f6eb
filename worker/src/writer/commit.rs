//! What is to be committed, what became of it, and the way to whoever commits.

use std::time::Duration;

use retry::{Cause, Failure, FailureKind};
use runtime::TRACES;
use store::{Commit, DeliveryStatus, Outcome};
use tokio::sync::{mpsc, oneshot};
use tracing::{Span, field::Empty};

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
    /// Members here have the same phone and name: whether they are gone from the core is to be asked, and the same
    /// committed again. Nothing was written.
    Namesakes(Vec<String>),
    /// Somebody else has locked what it would write: nothing is wrong with it, and nothing was written.
    Locked(Failure),
    /// Postgres does not take its row.
    Failed(Failure),
    /// The session was lost; nobody knows whether it was written. Draw and read again (rule worker-9).
    Lost,
}

/// Something to commit, and who waits for it.
pub(crate) struct Request {
    pub(crate) commit: Commit,
    /// In the trace of the event: from here to the disk.
    pub(crate) span: Span,
    /// What became of it, and the commit itself, which may be tried once more.
    pub(crate) answer: oneshot::Sender<(Committed, Commit)>,
}

/// Where commits of one session are sent to.
pub(crate) struct CommitSender(mpsc::Sender<Request>);

impl CommitSender {
    pub(crate) fn new(requests: mpsc::Sender<Request>) -> Self {
        Self(requests)
    }

    /// Commits with whatever else is ready, for the event that `parent` is the span of. Answers the commit too, as long
    /// as the session stands.
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
        if self.0.send(request).await.is_err() {
            return (Committed::Lost, None);
        }
        answered
            .await
            .map_or((Committed::Lost, None), |(committed, commit)| (committed, Some(commit)))
    }
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
