//! Metrics of runs: drift by campus and kind, how old the last success is, what is held.

use database::{Client, DatabaseError};
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge, Histogram},
};
use runtime::metrics::meter;
use uuid::Uuid;

use crate::{log::Status, phases::Phase, report::Report, tally::Kind};

pub(crate) struct RunMetrics {
    runs: Counter<u64>,
    drift: Counter<u64>,
    asked: Counter<u64>,
    duration: Histogram<f64>,
    phases: Counter<f64>,
    success_age: Gauge<f64>,
    held: Gauge<u64>,
}

/// By campus: since the last success, or since there is the campus; and what the last run held.
/// From the log of runs, so that it is true after a restart, and in every replica.
const STATE: &str = "
    SELECT c.id,
           extract(epoch FROM now() - coalesce(
               (SELECT completed_at FROM sync_logs l WHERE l.campus_id = c.id AND l.status = 'success'
                ORDER BY started_at DESC LIMIT 1), c.created_at))::float8,
           coalesce((SELECT candidates_held FROM sync_logs l
                     WHERE l.campus_id = c.id AND l.status IN ('success', 'held')
                     ORDER BY started_at DESC LIMIT 1), 0)
    FROM sync_configs s JOIN campuses c ON c.id = s.campus_id
    WHERE s.is_enabled AND s.reconciliation_enabled";

impl RunMetrics {
    pub(crate) fn new() -> Self {
        let meter = meter();
        let counter = |name: &'static str, description: &'static str| {
            meter.u64_counter(name).with_description(description).build()
        };
        let metrics = Self {
            runs: counter("reconciler_runs", "Reconciliation runs, by status"),
            drift: counter("reconciler_drift_members", "Members that differed, by campus and kind"),
            asked: counter("reconciler_members_asked", "Members asked for by id"),
            duration: meter
                .f64_histogram("reconciler_run_duration_seconds")
                .with_description("How long runs took")
                .with_boundaries(vec![1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0])
                .build(),
            phases: meter
                .f64_counter("reconciler_phase_seconds")
                .with_description("What runs spent their time with; some of it at the same time")
                .build(),
            success_age: meter
                .f64_gauge("reconciler_last_success_age_seconds")
                .with_description("Time since the campus's last successful run")
                .build(),
            held: meter
                .u64_gauge("reconciler_held_members")
                .with_description("Archives that wait for an operator's word, by campus")
                .build(),
        };
        for status in [Status::Success, Status::Held, Status::Error] {
            metrics.runs.add(0, &[KeyValue::new("status", status.as_str())]);
        }
        metrics.asked.add(0, &[]);
        for phase in Phase::ALL {
            metrics.phases.add(0.0, &[KeyValue::new("phase", phase.as_str())]);
        }
        metrics
    }

    /// A run came to its end.
    pub(crate) fn ran(&self, report: &Report) {
        self.runs.add(1, &[KeyValue::new("status", report.outcome.as_str())]);
        self.duration.record(report.duration_seconds, &[]);
        self.asked.add(report.tally.asked, &[]);
        for phase in Phase::ALL {
            let labels = [KeyValue::new("phase", phase.as_str())];
            self.phases.add(report.tally.phases.seconds(phase), &labels);
        }
        for kind in Kind::ALL {
            let labels = [campus(report.campus_id), KeyValue::new("kind", kind.as_str())];
            self.drift.add(report.tally.of(kind), &labels);
        }
    }

    /// Looks at what Postgres knows of runs.
    pub(crate) async fn look(&self, client: &Client) -> Result<(), DatabaseError> {
        let rows = client
            .query(STATE, &[])
            .await
            .map_err(DatabaseError::during("read how old the last successful runs are"))?;
        for row in &rows {
            let labels = [campus(row.get(0))];
            self.success_age.record(row.get(1), &labels);
            self.held.record(u64::from(row.get::<_, i32>(2).unsigned_abs()), &labels);
        }
        Ok(())
    }
}

fn campus(id: Uuid) -> KeyValue {
    KeyValue::new("campus", id.to_string())
}
