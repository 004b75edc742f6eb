//! The reconciler's metrics. Every family is there from the start: an alert on a counter that has
//! never counted would see no data and stay silent.

use std::time::Duration;

use chrono::Utc;
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge},
};
use runtime::metrics::meter;

use crate::{housekeeping::ages::Aged, report::run_metrics::RunMetrics};

pub(crate) struct Metrics {
    postgres_up: Gauge<u64>,
    passes: Counter<u64>,
    last_success: Gauge<i64>,
    last_duration: Gauge<f64>,
    days_made: Counter<u64>,
    days_dropped: Counter<u64>,
    days_waiting: Gauge<u64>,
    ages_updated: Counter<u64>,
    campuses: Gauge<u64>,
    campuses_without_date: Gauge<u64>,
    runs: RunMetrics,
}

impl Metrics {
    pub(crate) fn new(log_retention: Duration) -> Self {
        let meter = meter();
        let counter = |name: &'static str, description: &'static str| {
            meter.u64_counter(name).with_description(description).build()
        };
        let gauge = |name: &'static str, description: &'static str| {
            meter.u64_gauge(name).with_description(description).build()
        };
        gauge("reconciler_log_retention_seconds", "Age at which days of webhook_logs are dropped")
            .record(log_retention.as_secs(), &[]);
        let metrics = Self {
            postgres_up: gauge("reconciler_postgres_up", "1 while Postgres answers"),
            passes: counter("reconciler_housekeeping_passes", "Passes of housekeeping, by result"),
            last_success: meter
                .i64_gauge("reconciler_housekeeping_last_success_timestamp_seconds")
                .with_description("When housekeeping was last done; 0 before the first time")
                .build(),
            last_duration: meter
                .f64_gauge("reconciler_housekeeping_last_duration_seconds")
                .with_description("How long the last pass took")
                .build(),
            days_made: counter("reconciler_log_days_made", "Days of webhook_logs made ahead"),
            days_dropped: counter("reconciler_log_days_dropped", "Days of webhook_logs dropped"),
            days_waiting: gauge(
                "reconciler_log_days_waiting",
                "Days of webhook_logs that cannot be made or dropped while somebody reads it",
            ),
            ages_updated: counter("reconciler_ages_updated", "Members whose age was another one"),
            campuses: gauge("reconciler_campuses", "Campuses that are synced"),
            campuses_without_date: gauge(
                "reconciler_campuses_without_date",
                "Campuses whose time zone does not exist",
            ),
            runs: RunMetrics::new(),
        };
        metrics.begin_at_zero();
        metrics
    }

    fn begin_at_zero(&self) {
        self.postgres_up.record(0, &[]);
        for result in ["done", "failed"] {
            self.passes.add(0, &[KeyValue::new("result", result)]);
        }
        self.last_success.record(0, &[]);
        self.last_duration.record(0.0, &[]);
        for counter in [&self.days_made, &self.days_dropped, &self.ages_updated] {
            counter.add(0, &[]);
        }
        for gauge in [&self.campuses, &self.campuses_without_date, &self.days_waiting] {
            gauge.record(0, &[]);
        }
    }

    /// What is told of runs.
    pub(crate) fn runs(&self) -> &RunMetrics {
        &self.runs
    }

    /// Postgres answers.
    pub(crate) fn connected(&self) {
        self.postgres_up.record(1, &[]);
    }

    /// Postgres does not answer.
    pub(crate) fn disconnected(&self) {
        self.postgres_up.record(0, &[]);
    }

    /// A pass failed.
    pub(crate) fn failed(&self) {
        self.passes.add(1, &[KeyValue::new("result", "failed")]);
    }

    /// A pass was done: days made and dropped, ages, and how long it took.
    pub(crate) fn passed(
        &self,
        made: i32,
        dropped: i32,
        waiting: i32,
        aged: &Aged,
        duration: Duration,
    ) {
        self.passes.add(1, &[KeyValue::new("result", "done")]);
        self.last_success.record(Utc::now().timestamp(), &[]);
        self.last_duration.record(duration.as_secs_f64(), &[]);
        self.days_made.add(u64::try_from(made).unwrap_or(0), &[]);
        self.days_dropped.add(u64::try_from(dropped).unwrap_or(0), &[]);
        self.days_waiting.record(u64::try_from(waiting).unwrap_or(0), &[]);
        self.ages_updated.add(aged.updated, &[]);
        self.campuses.record(aged.campuses, &[]);
        self.campuses_without_date.record(aged.campuses_without_date, &[]);
    }
}
