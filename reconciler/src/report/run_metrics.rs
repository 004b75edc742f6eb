//! Metrics of runs: drift by campus and kind, how old the last success is, what is held.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use database::{Client, DatabaseError};
use member::Column;
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram},
};
use runtime::metrics::{Reading, meter, observe_each};
use store::RunStatus;
use uuid::Uuid;

use crate::{
    list::classify::Unreadable,
    report::{counters::DRIFT, phases::Phase, run_report::RunReport},
};

pub(crate) struct RunMetrics {
    runs: Counter<u64>,
    drift: Counter<u64>,
    asked: Counter<u64>,
    unreadable: Counter<u64>,
    duration: Histogram<f64>,
    phases: Counter<f64>,
    last_look: Arc<Mutex<Vec<CampusState>>>,
}

/// What Postgres knew of a campus's runs when it was last asked.
#[derive(Clone)]
struct CampusState {
    campus: Uuid,
    looked_at: Instant,
    /// Since the last success, at that moment; it grows on its own, also while Postgres is away.
    success_age: f64,
    held: u32,
    undecided: u32,
}

/// By campus: since the last success, or since there is the campus; what the last run held, and left undecided,
/// be it everybody, which is an error. From the log of runs, so that it is true after a restart, and in every
/// replica.
const STATE: &str = "
    SELECT c.id,
           extract(epoch FROM now() - coalesce(
               (SELECT completed_at FROM sync_logs l WHERE l.campus_id = c.id AND l.status = 'success'
                ORDER BY started_at DESC LIMIT 1), c.created_at))::float8,
           coalesce((SELECT candidates_held FROM sync_logs l
                     WHERE l.campus_id = c.id AND l.status IN ('success', 'held', 'partial')
                     ORDER BY started_at DESC LIMIT 1), 0),
           coalesce((SELECT members_undecided FROM sync_logs l
                     WHERE l.campus_id = c.id
                       AND (l.status IN ('success', 'held', 'partial') OR l.members_undecided > 0)
                     ORDER BY started_at DESC LIMIT 1), 0)
    FROM sync_configs s JOIN campuses c ON c.id = s.campus_id
    WHERE s.is_enabled AND s.paused_at IS NULL AND s.reconciliation_enabled";

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
            unreadable: counter(
                "reconciler_values_unreadable",
                "Values of the list that cannot be read and leave their column as it is",
            ),
            duration: meter
                .f64_histogram("reconciler_run_duration_seconds")
                .with_description("How long runs took")
                .with_boundaries(vec![1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0])
                .build(),
            phases: meter
                .f64_counter("reconciler_phase_seconds")
                .with_description("What runs spent their time with; some of it at the same time")
                .build(),
            last_look: Arc::default(),
        };
        for status in [RunStatus::Success, RunStatus::Held, RunStatus::Partial, RunStatus::Error] {
            metrics.runs.add(0, &[KeyValue::new("status", status.as_str())]);
        }
        metrics.asked.add(0, &[]);
        metrics.read(&Unreadable::default());
        for phase in Phase::ALL {
            metrics.phases.add(0.0, &[KeyValue::new("phase", phase.as_str())]);
        }
        metrics.observe();
        metrics
    }

    /// Shows what was last seen of each campus; one that is not synced any more is not shown.
    fn observe(&self) {
        let each = |value: fn(&CampusState) -> f64| {
            let last_look = Arc::clone(&self.last_look);
            move || -> Vec<Reading> {
                let states = last_look.lock().unwrap_or_else(PoisonError::into_inner);
                let reading = |state: &CampusState| {
                    (vec![("campus", state.campus.to_string())], value(state))
                };
                states.iter().map(reading).collect()
            }
        };
        observe_each(
            "reconciler_last_success_age_seconds",
            "Time since the campus's last successful run, or since there is the campus",
            each(|state| state.success_age + state.looked_at.elapsed().as_secs_f64()),
        );
        observe_each(
            "reconciler_held_members",
            "Archivals that need an operator's approval, by campus",
            each(|state| f64::from(state.held)),
        );
        observe_each(
            "reconciler_undecided_members",
            "Members and rows that the campus's last run could not decide about",
            each(|state| f64::from(state.undecided)),
        );
    }

    /// A run came to its end.
    pub(crate) fn ran(&self, report: &RunReport) {
        self.runs.add(1, &[KeyValue::new("status", report.outcome.as_str())]);
        self.duration.record(report.duration_seconds, &[]);
        self.asked.add(report.counters.asked, &[]);
        self.read(&report.counters.unreadable);
        for phase in Phase::ALL {
            let labels = [KeyValue::new("phase", phase.as_str())];
            self.phases.add(report.counters.phases.seconds(phase), &labels);
        }
        for kind in DRIFT {
            let labels = [campus(report.campus_id), KeyValue::new("kind", kind.as_str())];
            self.drift.add(report.counters.of(kind), &labels);
        }
    }

    fn read(&self, unreadable: &Unreadable) {
        for (column, number) in Column::ALL.into_iter().zip(unreadable) {
            self.unreadable.add(*number, &[KeyValue::new("column", column.as_str())]);
        }
    }

    /// Looks at what Postgres knows of runs.
    pub(crate) async fn look(&self, client: &Client) -> Result<(), DatabaseError> {
        let rows = client
            .query(STATE, &[])
            .await
            .map_err(DatabaseError::during("read how old the last successful runs are"))?;
        let states: Vec<CampusState> = rows
            .iter()
            .map(|row| CampusState {
                campus: row.get(0),
                looked_at: Instant::now(),
                success_age: row.get(1),
                held: row.get::<_, i32>(2).unsigned_abs(),
                undecided: row.get::<_, i32>(3).unsigned_abs(),
            })
            .collect();
        let mut last = self.last_look.lock().unwrap_or_else(PoisonError::into_inner);
        for new in states.iter().filter(|new| last.iter().all(|old| old.campus != new.campus)) {
            // From the start, at zero: an increase from nothing is none.
            for kind in DRIFT {
                self.drift.add(0, &[campus(new.campus), KeyValue::new("kind", kind.as_str())]);
            }
        }
        *last = states;
        Ok(())
    }
}

fn campus(id: Uuid) -> KeyValue {
    KeyValue::new("campus", id.to_string())
}
