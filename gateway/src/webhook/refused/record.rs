//! Records refusals for whoever runs the gateway: in the metrics all of them, in the log a few lines a second of each reason
//! and campus (rule gateway-9). What a reconciliation has to find is noted as a gap (rule gateway-7). What was accepted is
//! logged by the worker, with what became of it.

use std::{net::IpAddr, sync::Arc, time::Instant};

use instances::Gaps;
use runtime::Trace;
use uuid::Uuid;

use crate::{
    metrics::Metrics,
    webhook::{
        refusal::Refusal,
        refused::{declined::Declined, log_rate_limit::LogRateLimit},
    },
};

/// Reasons and campuses told apart: all of a thousand campuses.
const MOST_KINDS: usize = 20_000;

/// Counts and logs refusals.
pub(crate) struct Refusals {
    metrics: Arc<Metrics>,
    gaps: Arc<Gaps>,
    /// By reason and campus; what names no campus that is known has none.
    lines: LogRateLimit<(&'static str, Option<Uuid>)>,
}

impl Refusals {
    pub(crate) fn new(metrics: Arc<Metrics>, gaps: Arc<Gaps>) -> Self {
        Self { metrics, gaps, lines: LogRateLimit::new(MOST_KINDS) }
    }

    /// A request that was refused.
    pub(crate) fn record(&self, declined: Declined, origin: IpAddr, trace: Option<&Trace>) {
        self.metrics.refused(declined.refusal);
        if let Some(campus) = declined.campus {
            self.metrics.refused_of(campus, declined.refusal);
        }
        if declined.leaves_gap() {
            self.gaps.refused(declined.campus);
        }
        self.write(declined, origin, trace);
    }

    /// One that never reached us, since hyper has answered it.
    pub(crate) fn record_unread(&self, refusal: Refusal, peer: IpAddr) {
        self.metrics.refused_unread(refusal);
        self.write(refusal.into(), peer.to_canonical(), None);
    }

    fn write(&self, declined: Declined, origin: IpAddr, trace: Option<&Trace>) {
        let Declined { refusal, campus, clue } = declined;
        let reason = refusal.label();
        let Some(left_out) = self.lines.line((reason, campus), Instant::now()) else { return };
        let status = refusal.status().as_u16();
        let client_address = tracing::field::display(origin);
        let campus_id = campus.map(tracing::field::display);
        let clue = clue.map(tracing::field::display);
        let trace_id = trace.map(|trace| tracing::field::display(trace.id()));
        if refusal.status().is_server_error() {
            tracing::warn!(
                status,
                reason,
                client_address,
                campus_id,
                trace_id,
                left_out,
                "a webhook cannot be queued: its change waits for a reconciliation"
            );
        } else {
            tracing::info!(
                status,
                reason,
                client_address,
                campus_id,
                clue,
                trace_id,
                left_out,
                "a webhook is refused"
            );
        }
    }
}
