//! The spans of a run: one trace a run, with its pages, its questions by id (`core_api` makes those)
//! and what it wrote. Members' ids are no part of them.

use runtime::{TRACES, Trace, number};
use store::RunStatus;
use tracing::{Span, field::Empty};
use uuid::Uuid;

use crate::report::counters::RunCounters;

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
        faithtracker.members.undecided = Empty,
    )
}

/// Notes how it ended, there and in one log line.
pub(crate) fn ended(
    trace: &Trace,
    (campus, log): (Uuid, Option<Uuid>),
    status: RunStatus,
    counters: &RunCounters,
    reason: Option<&str>,
) {
    let span = trace.span();
    span.record("faithtracker.outcome", status.as_str());
    span.record("faithtracker.members.fetched", number(counters.fetched));
    span.record("faithtracker.members.asked", number(counters.asked));
    span.record("faithtracker.members.held", number(counters.held()));
    span.record("faithtracker.members.undecided", number(counters.undecided.count()));
    if status == RunStatus::Error {
        span.record("otel.status_code", "ERROR");
    }
    macro_rules! tell {
        ($level:ident) => {
            tracing::$level!(
                campus_id = %campus, run_id = log.map(tracing::field::display),
                outcome = status.as_str(), reason, fetched = counters.fetched, asked = counters.asked,
                held = counters.held(), undecided = counters.undecided.count(), trace_id = %trace.id(),
                "a run has ended"
            )
        };
    }
    match status {
        RunStatus::Success | RunStatus::InProgress => tell!(info),
        RunStatus::Held | RunStatus::Partial | RunStatus::Error => tell!(warn),
    }
}

/// A page of the list, with the requests that it took.
pub(crate) fn page(page: u64) -> Span {
    tracing::info_span!(target: TRACES, "read page", faithtracker.page = number(page))
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
        db.operation.batch.size = number(members),
    )
}
