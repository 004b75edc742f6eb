//! Group commit: whatever is ready goes into one transaction. There is no timer: alone, an event commits at once; under
//! load batches form while the one before is on its way to disk.

use std::{sync::Arc, time::Instant};

use runtime::TRACES;
use store::{Commit, SyncWriter};
use tokio::sync::mpsc;
use tracing::{Instrument, Span};

use crate::{
    metrics::Metrics,
    writer::{commit::Request, committer::Committer},
};

/// Commits in one transaction; more than this would only make a failure dearer.
const LARGEST_BATCH: usize = 256;

/// Commits requests until nobody can send any, or the session is lost.
pub(crate) async fn commit_requests(
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
