//! The worker's metrics. Every family is there from the start, at zero: an alert on a counter that
//! has never counted would see no data and stay silent.

pub(crate) mod backlog;
pub(crate) mod dead_letters;
mod held;

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use core_api::AnswerMemory;
use event::{Envelope, EventType, History};
use member::Column;
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram},
};
use retry::{Cause, Failure, FailureKind};
use runtime::metrics::{
    BATCH_SIZES, EVENT_SECONDS, LATENCY_SECONDS, Reading, Tally, meter, observe_each,
};
use serde_json::{Map, Value, json};
use store::DeliveryStatus;

use crate::{
    core::cores::{CoreState, Cores},
    metrics::{
        backlog::LastTaken,
        held::{Held, observe_held},
    },
};

/// Upper bounds for attempts; an outage of a day makes some thirty.
const ATTEMPTS: [f64; 9] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 10.0, 20.0, 50.0];

pub(crate) struct Metrics {
    received: Tally,
    settled: Tally,
    ended: Tally,
    failures: Counter<u64>,
    collected: Counter<u64>,
    unreadable: Counter<u64>,
    commits: Counter<u64>,
    admission_batch: Histogram<u64>,
    commit_batch: Histogram<u64>,
    commit_seconds: Histogram<f64>,
    event_seconds: Histogram<f64>,
    event_attempts: Histogram<u64>,
    held: Arc<Held>,
    pub(crate) last_taken: Arc<LastTaken>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let meter = meter();
        let counter = |name: &'static str, description: &'static str| {
            meter.u64_counter(name).with_description(description).build()
        };
        let seconds = |name: &'static str, description: &'static str| {
            meter
                .f64_histogram(name)
                .with_description(description)
                .with_boundaries(LATENCY_SECONDS.to_vec())
                .build()
        };
        let sizes = |name: &'static str, description: &'static str| {
            meter
                .u64_histogram(name)
                .with_description(description)
                .with_boundaries(BATCH_SIZES.to_vec())
                .build()
        };
        let metrics = Self {
            received: Tally::begin(
                counter("worker_events_received", "Deliveries taken from the work queue"),
                "event_type",
                EventType::labels(),
            ),
            settled: Tally::begin(
                counter("worker_events_settled", "Deliveries that left the worker, by outcome"),
                "outcome",
                ["done", "delayed", "put_off", "dead", "returned", "redelivered"],
            ),
            ended: Tally::begin(
                counter(
                    "worker_events_ended",
                    "Deliveries that came to an end, by their status in webhook_logs",
                ),
                "status",
                DeliveryStatus::ENDS.map(DeliveryStatus::as_str),
            ),
            failures: counter("worker_failures", "Failed attempts, by cause and kind"),
            collected: counter(
                "worker_dead_letters_collected",
                "Dead letters stored in Postgres, by cause",
            ),
            unreadable: counter(
                "worker_values_unreadable",
                "Values of the core that cannot be read and leave their column as it is",
            ),
            commits: counter("worker_commits", "Transactions that wrote members and logs"),
            admission_batch: sizes(
                "worker_admission_batch_size",
                "Deliveries admitted with one query",
            ),
            commit_batch: sizes("worker_commit_batch_size", "Findings committed together"),
            commit_seconds: seconds("worker_commit_duration_seconds", "Duration of a group commit"),
            event_seconds: meter
                .f64_histogram("worker_event_duration_seconds")
                .with_description("From receipt at the gateway to the commit, retries included")
                .with_boundaries(EVENT_SECONDS.to_vec())
                .build(),
            event_attempts: meter
                .u64_histogram("worker_event_attempts")
                .with_description("Attempts that an event took to its end, good or dead")
                .with_boundaries(ATTEMPTS.to_vec())
                .build(),
            held: Arc::default(),
            last_taken: Arc::default(),
        };
        metrics.begin_at_zero();
        observe_held(&metrics.held);
        metrics
    }

    fn begin_at_zero(&self) {
        for cause in Cause::ALL {
            self.collected.add(0, &[KeyValue::new("cause", cause.as_str())]);
            for kind in ["outage", "refusal", "final"] {
                let labels = [KeyValue::new("cause", cause.as_str()), KeyValue::new("kind", kind)];
                self.failures.add(0, &labels);
            }
        }
        for column in Column::ALL {
            self.unreadable.add(0, &[KeyValue::new("column", column.as_str())]);
        }
        self.commits.add(0, &[]);
    }

    pub(crate) fn received(&self, envelope: &Envelope, history: &History) {
        self.held.take(envelope, history);
        self.last_taken.take(envelope.received_at, history.is_first_attempt());
        self.received.add(envelope.event_type.label());
    }

    /// The core's answer has values in these columns that cannot be read.
    pub(crate) fn unreadable(&self, columns: &[Column]) {
        for column in columns {
            self.unreadable.add(1, &[KeyValue::new("column", column.as_str())]);
        }
    }

    pub(crate) fn admitted(&self, events: usize) {
        self.admission_batch.record(events as u64, &[]);
    }

    pub(crate) fn committed(&self, findings: usize, duration: Duration) {
        self.commits.add(1, &[]);
        self.commit_batch.record(findings as u64, &[]);
        self.commit_seconds.record(duration.as_secs_f64(), &[]);
    }

    /// Deliveries taken and not yet settled.
    pub(crate) fn held(&self) -> usize {
        self.held.count()
    }

    /// What this worker has done since its start, and what it holds, as its row of `instances` tells it.
    pub(crate) fn told(&self) -> Map<String, Value> {
        Map::from_iter([
            ("taken".to_owned(), json!(self.received.sum())),
            ("settled".to_owned(), json!(self.settled.counts())),
            ("ended".to_owned(), json!(self.ended.counts())),
            ("held".to_owned(), json!(self.held())),
            ("last_taken_age".to_owned(), json!(self.last_taken.age())),
        ])
    }

    /// A delivery left the worker.
    pub(crate) fn settled(&self, envelope: &Envelope, history: &History, outcome: &'static str) {
        self.held.settle(envelope, history);
        self.settled.add(outcome);
    }

    /// A delivery is committed: how long that took since the gateway received it, by two clocks. No
    /// status: it had come to its end before, and the broker brought it again.
    pub(crate) fn finished(
        &self,
        envelope: &Envelope,
        history: &History,
        status: Option<DeliveryStatus>,
    ) {
        if let Some(status) = status {
            self.ended.add(status.as_str());
        }
        let age = (Utc::now() - envelope.received_at).to_std().unwrap_or_default();
        self.event_seconds.record(age.as_secs_f64(), &[]);
        self.event_attempts.record(u64::from(history.failed_attempts()) + 1, &[]);
    }

    /// A delivery goes to the dead letters after so many attempts.
    pub(crate) fn died(&self, attempts: u32) {
        self.ended.add(DeliveryStatus::Dead.as_str());
        self.event_attempts.record(u64::from(attempts), &[]);
    }

    pub(crate) fn failed(&self, failure: &Failure) {
        let kind = match failure.kind {
            FailureKind::Outage => "outage",
            FailureKind::Refusal => "refusal",
            FailureKind::Final => "final",
        };
        self.failures
            .add(1, &[KeyValue::new("cause", failure.cause.as_str()), KeyValue::new("kind", kind)]);
    }

    pub(crate) fn collected(&self, cause: &str) {
        self.collected.add(1, &[KeyValue::new("cause", cause.to_owned())]);
    }
}

/// Shows what the core's answers take, whenever the metrics are asked for.
pub(crate) fn observe_answers(memory: &Arc<AnswerMemory>) {
    let memory = Arc::clone(memory);
    meter()
        .u64_observable_gauge("worker_answer_bytes_held")
        .with_description("Bytes of the core's answers in memory, photos included")
        .with_callback(move |gauge| gauge.observe(memory.held() as u64, &[]))
        .build();
}

/// Shows how the campuses' cores are dealt with, whenever the metrics are asked for.
pub(crate) fn observe_cores(cores: &Arc<Cores>) {
    let each = |value: fn(&CoreState) -> f64| {
        let cores = Arc::downgrade(cores);
        move || -> Vec<Reading> {
            let Some(cores) = cores.upgrade() else { return Vec::new() };
            let states = cores.states().into_iter();
            states
                .map(|state| (vec![("campus", state.campus.to_string())], value(&state)))
                .collect()
        }
    };
    observe_each(
        "worker_core_breaker_open",
        "1 while the circuit breaker of a campus's core is open",
        each(|state| if state.is_tripped { 1.0 } else { 0.0 }),
    );
    observe_each(
        "worker_core_requests_under_way",
        "Requests that a campus's core has not answered yet",
        each(|state| f64::from(u32::try_from(state.under_way).unwrap_or(u32::MAX))),
    );
}
