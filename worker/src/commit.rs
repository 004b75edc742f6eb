//! Group commit: whatever is ready goes into one transaction. There is no timer: alone, an event
//! commits at once; under load batches form while the one before is on its way to disk.

use std::{sync::Arc, time::Instant};

use database::{ANSWER_LIMIT, Fault, fault};
use retry::{Cause, Failure, Kind};
use runtime::TRACES;
use store::{Commit, Outcome, Status, SyncWriter};
use tokio::sync::{mpsc, oneshot};
use tracing::{Instrument, Span, field::Empty};

use crate::{metrics::Metrics, sessions::Live};

/// Commits in one transaction; more than this would only make a failure dearer.
const LARGEST_BATCH: usize = 256;

/// How often a batch is repeated after a deadlock.
const REPEATS: usize = 3;

/// What became of a commit.
#[derive(Debug)]
pub(crate) enum Committed {
    /// It is on disk, and its deliveries are logged as this; none for one that was done before.
    Done(Vec<Option<Status>>),
    /// Something else about the member was applied meanwhile: read again.
    Refused,
    /// Its own row cannot be written now, or ever.
    Failed(Failure),
    /// The session was lost; nobody knows whether it was written. Draw and read again.
    Lost,
}

/// Something to commit, and who waits for it.
pub(crate) struct Request {
    commit: Commit,
    /// In the trace of the event: from the wish to the disk.
    span: Span,
    answer: oneshot::Sender<Committed>,
}

impl Live {
    /// Commits with whatever else is ready, for the event that `parent` is the span of.
    pub(crate) async fn commit(&self, commit: Commit, parent: &Span) -> Committed {
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
        let (answer, answered) = oneshot::channel();
        let request = Request { commit, span: span.clone(), answer };
        let committed = if self.writer.send(request).await.is_ok() {
            answered.await.unwrap_or(Committed::Lost)
        } else {
            Committed::Lost
        };
        if let Some(error) = committed.error() {
            span.record("error.type", error);
            span.record("otel.status_code", "ERROR");
        }
        committed
    }
}

/// Commits requests until nobody can send any, or the session is lost.
pub(crate) async fn commit(
    mut writer: SyncWriter,
    mut requests: mpsc::Receiver<Request>,
    metrics: Arc<Metrics>,
) {
    let mut batch = Vec::with_capacity(LARGEST_BATCH);
    while requests.recv_many(&mut batch, LARGEST_BATCH).await > 0 {
        let begin = Instant::now();
        let commits: Vec<&Commit> = batch.iter().map(|request| &request.commit).collect();
        let results = commit_batch(&mut writer, &commits).instrument(span_of(&batch)).await;
        metrics.committed(commits.len(), begin.elapsed());
        for (request, result) in batch.drain(..).zip(results) {
            request.answer.send(result).ok();
        }
        if writer.is_lost() {
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

async fn commit_batch(writer: &mut SyncWriter, batch: &[&Commit]) -> Vec<Committed> {
    match commit_at_once(writer, batch).await {
        Ok(outcomes) => outcomes.into_iter().map(Committed::from).collect(),
        Err(Fault::Session) => {
            writer.give_up();
            batch.iter().map(|_| Committed::Lost).collect()
        }
        // Some row's fault: alone, each shows whose, and only that one suffers for it.
        Err(_) => {
            let mut results = Vec::with_capacity(batch.len());
            for commit in batch {
                results.push(commit_alone(writer, commit).await);
            }
            results
        }
    }
}

/// Commits all in one transaction, again after a deadlock.
async fn commit_at_once(writer: &mut SyncWriter, batch: &[&Commit]) -> Result<Vec<Outcome>, Fault> {
    let mut last = Fault::Repeat;
    for _ in 0..REPEATS {
        // What was asked and not answered may be committed or not: as with a lost connection.
        let Ok(result) = tokio::time::timeout(ANSWER_LIMIT, writer.commit(batch)).await else {
            tracing::warn!(events = batch.len(), "Postgres does not answer a commit");
            return Err(Fault::Session);
        };
        match result {
            Ok(outcomes) => return Ok(outcomes),
            Err(error) => {
                last = fault(&error);
                tracing::warn!(%error, events = batch.len(), "a batch could not be committed");
            }
        }
        if last != Fault::Repeat {
            break;
        }
    }
    Err(last)
}

async fn commit_alone(writer: &mut SyncWriter, commit: &Commit) -> Committed {
    if writer.is_lost() {
        return Committed::Lost;
    }
    match commit_at_once(writer, &[commit]).await {
        Ok(outcomes) => outcomes.into_iter().next().map_or(Committed::Lost, Committed::from),
        Err(Fault::Row) => Committed::Failed(Failure::new(
            Cause::Database,
            Kind::Final,
            "Postgres refuses the member's values.",
        )),
        Err(Fault::Locked | Fault::Repeat) => Committed::Failed(Failure::new(
            Cause::Database,
            Kind::Outage,
            "The member's row is locked by somebody else.",
        )),
        Err(Fault::Session) => {
            writer.give_up();
            Committed::Lost
        }
    }
}

impl Committed {
    /// Why it is not on disk, in a word from a closed list.
    fn error(&self) -> Option<&'static str> {
        match self {
            Self::Done(_) => None,
            Self::Refused => Some("superseded"),
            Self::Failed(failure) => Some(failure.cause.as_str()),
            Self::Lost => Some("session_lost"),
        }
    }
}

impl From<Outcome> for Committed {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done(statuses) => Self::Done(statuses),
            Outcome::Refused => Self::Refused,
        }
    }
}
