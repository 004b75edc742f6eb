//! What the gateway counts. Labels are closed sets; every series of a counter is there from the
//! start, so that a rate over it never begins with a hole.

pub(crate) mod campus_names;
pub(crate) mod queue_depths;
pub(crate) mod unfinished;

use std::{sync::Arc, time::Duration};

use campus::DirectoryHandle;
use chrono::Utc;
use event::EventType;
use hyper::StatusCode;
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram, Meter},
};
use public_port::Tls;
use runtime::metrics::{LATENCY_SECONDS, Reading, Tally, meter, observe_each};
use serde_json::{Map, Value, json};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::{
    intake::budget::{BODY_BYTES, Budget, SMALL_BODY_RESERVE_BYTES},
    webhook::refusal::Refusal,
};

/// Every status that the gateway answers with.
const STATUSES: [StatusCode; 13] = [
    StatusCode::OK,
    StatusCode::ACCEPTED,
    StatusCode::BAD_REQUEST,
    StatusCode::UNAUTHORIZED,
    StatusCode::FORBIDDEN,
    StatusCode::NOT_FOUND,
    StatusCode::METHOD_NOT_ALLOWED,
    StatusCode::REQUEST_TIMEOUT,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    StatusCode::INTERNAL_SERVER_ERROR,
    StatusCode::SERVICE_UNAVAILABLE,
];

/// Why a connection that waited for its peer was cut off.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cut {
    /// Others needed its place.
    Crowded,
    /// Others needed the memory of its body.
    Memory,
}

impl Cut {
    const ALL: [Self; 2] = [Self::Crowded, Self::Memory];

    fn label(self) -> KeyValue {
        let reason = match self {
            Self::Crowded => "crowded",
            Self::Memory => "memory",
        };
        KeyValue::new("reason", reason)
    }
}

/// The instruments that requests are counted with.
pub(crate) struct Metrics {
    requests: Counter<u64>,
    accepted: Tally,
    refusals: Tally,
    campus_refusals: Counter<u64>,
    received_bytes: Counter<u64>,
    connections_accepted: Counter<u64>,
    connections_cut: Counter<u64>,
    tls_failures: Counter<u64>,
    request_seconds: Histogram<f64>,
    publish_seconds: Histogram<f64>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let meter = meter();
        let metrics = Self {
            requests: counter(&meter, "gateway_requests", "Requests answered, by status"),
            accepted: Tally::begin(
                counter(
                    &meter,
                    "gateway_events_accepted",
                    "Events that RabbitMQ has confirmed, by type",
                ),
                "event_type",
                EventType::labels(),
            ),
            refusals: Tally::begin(
                counter(&meter, "gateway_refusals", "Requests not accepted, by reason"),
                "reason",
                Refusal::LABELS,
            ),
            campus_refusals: counter(
                &meter,
                "gateway_campus_refusals",
                "Webhooks of a known campus that were not accepted, by reason",
            ),
            received_bytes: counter(
                &meter,
                "gateway_received_bytes",
                "Bytes of the bodies that arrived whole",
            ),
            connections_accepted: counter(
                &meter,
                "gateway_connections_accepted",
                "Connections taken from senders",
            ),
            connections_cut: counter(
                &meter,
                "gateway_connections_cut",
                "Connections cut off while they kept us waiting, since others needed their room",
            ),
            tls_failures: counter(
                &meter,
                "gateway_tls_failures",
                "Connections that ended before TLS was agreed on",
            ),
            request_seconds: histogram(
                &meter,
                "gateway_request_duration_seconds",
                "From a request's headers to its answer, the sender's sending included",
            ),
            publish_seconds: histogram(
                &meter,
                "gateway_publish_duration_seconds",
                "From handing an event to the publisher to RabbitMQ's confirm, or to giving up",
            ),
        };
        metrics.begin();
        metrics
    }

    fn begin(&self) {
        for status in STATUSES {
            self.requests.add(0, &[status_label(status)]);
        }
        for reason in Cut::ALL {
            self.connections_cut.add(0, &[reason.label()]);
        }
        for counter in [&self.received_bytes, &self.connections_accepted, &self.tls_failures] {
            counter.add(0, &[]);
        }
    }

    /// What this gateway has done since its start, as its row of `instances` tells it.
    pub(crate) fn told(&self) -> Map<String, Value> {
        Map::from_iter([
            ("accepted".to_owned(), json!(self.accepted.sum())),
            ("refused".to_owned(), json!(self.refusals.counts())),
        ])
    }

    pub(crate) fn answered(&self, status: StatusCode, elapsed: Duration) {
        self.requests.add(1, &[status_label(status)]);
        self.request_seconds.record(elapsed.as_secs_f64(), &[]);
    }

    pub(crate) fn accepted(&self, event_type: &EventType) {
        self.accepted.add(event_type.label());
    }

    pub(crate) fn refused(&self, refusal: Refusal) {
        self.refusals.add(refusal.label());
    }

    /// A refusal of a request that never reached us: hyper has answered it.
    pub(crate) fn refused_unread(&self, refusal: Refusal) {
        self.refused(refusal);
        self.requests.add(1, &[status_label(refusal.status())]);
    }

    /// A refusal of a campus that is known, and so a label of a closed set.
    pub(crate) fn refused_of(&self, campus: Uuid, refusal: Refusal) {
        let reason = KeyValue::new("reason", refusal.label());
        self.campus_refusals.add(1, &[KeyValue::new("campus", campus.to_string()), reason]);
    }

    pub(crate) fn received(&self, bytes: usize) {
        self.received_bytes.add(u64::try_from(bytes).unwrap_or(u64::MAX), &[]);
    }

    pub(crate) fn published(&self, elapsed: Duration) {
        self.publish_seconds.record(elapsed.as_secs_f64(), &[]);
    }

    pub(crate) fn connected(&self) {
        self.connections_accepted.add(1, &[]);
    }

    pub(crate) fn cut(&self, reason: Cut, connections: usize) {
        self.connections_cut.add(u64::try_from(connections).unwrap_or(u64::MAX), &[reason.label()]);
    }

    pub(crate) fn tls_failed(&self) {
        self.tls_failures.add(1, &[]);
    }
}

/// Shows what is held now, whenever the metrics are asked for.
pub(crate) fn observe(
    connections_limit: usize,
    open: TaskTracker,
    budget: &Arc<Budget>,
    directory: &DirectoryHandle,
) {
    gauge("gateway_connections", "Open connections of senders", move || open.len());
    gauge("gateway_connections_limit", "Connections that may be open at once", move || {
        connections_limit
    });
    let used = Arc::clone(budget);
    gauge("gateway_body_bytes_in_flight", "Bytes of bodies in memory", move || used.used());
    gauge("gateway_body_bytes_limit", "Bytes of bodies that may be in memory at once", || {
        BODY_BYTES + SMALL_BODY_RESERVE_BYTES
    });
    let ages = directory.clone();
    observe_each(
        "gateway_webhook_secret_age_seconds",
        "How long ago a campus's webhook secret was set",
        move || secret_ages(&ages),
    );
    let sealed = directory.clone();
    gauge(
        "gateway_campuses_unreadable",
        "Campuses whose webhook secret does not open with SECRETS_KEY",
        move || {
            let snapshot = sealed.snapshot();
            let campuses = snapshot.iter().flat_map(|snapshot| snapshot.campuses());
            campuses.filter(|campus| campus.secrets.unreadable.is_some()).count()
        },
    );
    let directory = directory.clone();
    gauge("gateway_campuses", "Campuses in the snapshot", move || {
        directory.snapshot().map_or(0, |snapshot| snapshot.len())
    });
}

/// Shows how the certificate fares that the public port speaks TLS with, if it does.
pub(crate) fn observe_certificate(tls: Option<Arc<Tls>>) {
    let current = tls.clone();
    runtime::metrics::observe(
        "gateway_certificate_expiry_timestamp_seconds",
        "Until when the certificate in use is good, since 1970; 0 without TLS",
        move || {
            let expires = current.as_ref().map(|tls| tls.expires());
            expires.map_or(Some(0.0), |expires| Some(expires?.as_secs_f64()))
        },
    );
    gauge(
        "gateway_certificate_renewal_failing",
        "1 where certificate and key in the files cannot be used and the ones before are kept",
        move || usize::from(tls.as_ref().is_some_and(|tls| tls.is_renewal_failing())),
    );
}

fn status_label(status: StatusCode) -> KeyValue {
    KeyValue::new("status", i64::from(status.as_u16()))
}

fn counter(meter: &Meter, name: &'static str, description: &'static str) -> Counter<u64> {
    meter.u64_counter(name).with_description(description).build()
}

fn histogram(meter: &Meter, name: &'static str, description: &'static str) -> Histogram<f64> {
    meter
        .f64_histogram(name)
        .with_description(description)
        .with_boundaries(LATENCY_SECONDS.to_vec())
        .build()
}

fn gauge(
    name: &'static str,
    description: &'static str,
    value: impl Fn() -> usize + Send + Sync + 'static,
) {
    runtime::metrics::observe(name, description, move || {
        Some(f64::from(u32::try_from(value()).unwrap_or(u32::MAX)))
    });
}

/// Of the campuses that are enabled: nobody can misuse the others' secrets.
fn secret_ages(directory: &DirectoryHandle) -> Vec<Reading> {
    let (snapshot, now) = (directory.snapshot(), Utc::now());
    let campuses = snapshot.iter().flat_map(|snapshot| snapshot.campuses());
    campuses
        .filter(|campus| campus.is_enabled)
        .filter_map(|campus| {
            let age = (now - campus.secrets.set_at?).to_std().unwrap_or_default();
            Some((vec![("campus", campus.id.to_string())], age.as_secs_f64()))
        })
        .collect()
}
