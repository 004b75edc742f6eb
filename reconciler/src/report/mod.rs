//! What a run says of itself: counters, its row in `sync_logs`, reports, spans, metrics.

pub(crate) mod counters;
pub(crate) mod metrics;
pub(crate) mod phases;
pub(crate) mod progress;
pub(crate) mod run_metrics;
pub(crate) mod run_report;
pub(crate) mod span;
pub(crate) mod sync_log;
pub(crate) mod undecided;
pub(crate) mod under_way;
