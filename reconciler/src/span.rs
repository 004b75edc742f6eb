//! The spans of a run: one trace a run, with its pages, its questions by id (`core_api` makes those)
//! and what it wrote. Members' ids are no part of them.

use runtime::TRACES;
use tracing::{Span, field::Empty};
use uuid::Uuid;

use crate::{log::Status, tally::Tally};

/// A run of a campus; `log` is its row in `sync_logs`.
pub(crate) fn run(campus: Uuid, log: Option<Uuid>) -> Span {
    tracing::info_span!(
        target: TRACES,
        parent: None,
        "reconcile campus",
        otel.status_code = Empty,
        faithtracker.campus.id = %campus,
        faithtracker.run.id = log.map(tracing::field::display),
        faithtracker.dry_run = log.is_none(),
        faithtracker.outcome = Empty,
        faithtracker.members.fetched = Empty,
        faithtracker.members.asked = Empty,
        faithtracker.members.held = Empty,
    )
}

/// Notes how it ended.
pub(crate) fn ended(run: &Span, status: Status, tally: &Tally) {
    run.record("faithtracker.outcome", status.as_str());
    run.record("faithtracker.members.fetched", runtime::number(tally.fetched));
    run.record("faithtracker.members.asked", runtime::number(tally.asked));
    run.record("faithtracker.members.held", runtime::number(tally.held));
    if status == Status::Error {
        run.record("otel.status_code", "ERROR");
    }
}

/// A page of the list, with the requests that it took.
pub(crate) fn page(number: u64) -> Span {
    tracing::info_span!(target: TRACES, "read page", faithtracker.page = runtime::number(number))
}

/// The comparison of the staged list with the members.
pub(crate) fn compare() -> Span {
    tracing::info_span!(
        target: TRACES,
        "compare",
        otel.kind = "client",
        db.system.name = "postgresql",
        db.operation.name = "INSERT",
    )
}

/// A transaction that writes members.
pub(crate) fn apply(members: usize) -> Span {
    tracing::info_span!(
        target: TRACES,
        "apply",
        otel.kind = "client",
        db.system.name = "postgresql",
        db.operation.name = "COMMIT",
        db.operation.batch.size = runtime::number(members),
    )
}
