//! From OpenTelemetry's instruments to Prometheus's registry, one for the process.

use std::sync::OnceLock;

use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Registry, proto::MetricFamily};

struct Pipeline {
    registry: Registry,
    provider: SdkMeterProvider,
}

fn pipeline() -> &'static Pipeline {
    static PIPELINE: OnceLock<Pipeline> = OnceLock::new();
    PIPELINE.get_or_init(|| {
        let registry = Registry::new();
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            // One target a process: the label would only repeat the scrape job's name.
            .without_target_info()
            .build();
        let provider = match exporter {
            Ok(exporter) => SdkMeterProvider::builder().with_reader(exporter).build(),
            Err(error) => {
                tracing::error!(%error, "metrics cannot be exported");
                SdkMeterProvider::default()
            }
        };
        Pipeline { registry, provider }
    })
}

/// The meter that the program's instruments are made with.
pub fn meter() -> Meter {
    pipeline().provider.meter("faithtracker")
}

/// What the registry has now.
pub(super) fn gather() -> Vec<MetricFamily> {
    pipeline().registry.gather()
}
