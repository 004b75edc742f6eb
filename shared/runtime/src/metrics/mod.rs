//! Metrics: OpenTelemetry instruments, shown as Prometheus text on the admin port.
//!
//! Labels are closed sets (statuses, causes, campus ids); never names, phones or event ids. Each
//! metric has a line in `deploy/metrics.md`.

mod gauge;
mod pipeline;
mod process;
mod tally;

use prometheus::{Encoder, TextEncoder};

pub use gauge::{Reading, observe, observe_each};
pub use pipeline::meter;
pub(crate) use process::observe_program;
pub use tally::Tally;

/// The content type of [`render`]'s text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds, in seconds, for histograms of latency: from a loopback round trip to the time
/// after which a sender has long given up.
pub const LATENCY_SECONDS: [f64; 14] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Upper bounds, in seconds, for how long events take to their end: from at once to the day that an
/// outage is borne.
pub const EVENT_SECONDS: [f64; 16] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3600.0, 14400.0,
    86400.0,
];

/// Upper bounds for histograms of how many were handled at once.
pub const BATCH_SIZES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// All metrics in the Prometheus text format.
pub(crate) fn render() -> Vec<u8> {
    let mut text = Vec::new();
    let families = gauge::without_gone(pipeline::gather());
    if let Err(error) = TextEncoder::new().encode(&families, &mut text) {
        tracing::warn!(%error, "metrics cannot be written as text");
    }
    text
}
