//! Log lines on stderr, and spans that carry a W3C trace context from program to program.

use std::io::IsTerminal;

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{SettingError, Settings, variables};

/// The target of spans that are for traces alone. Log lines inside them are not marked with them:
/// that would format every field of every such span, whether or not a line is ever written, which
/// is a fifth of what a webhook costs the gateway.
pub const TRACES: &str = "traces";

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Coloured, for a terminal.
    Pretty,
    /// One object a line, for a collector.
    Json,
}

impl LogFormat {
    fn from_settings(settings: &Settings) -> Result<Self, SettingError> {
        match settings.optional(variables::LOG_FORMAT) {
            Some("pretty") => Ok(Self::Pretty),
            Some("json") => Ok(Self::Json),
            Some(_) => Err(SettingError::new(
                variables::LOG_FORMAT,
                "is not a known format",
                "pretty or json",
            )),
            None if std::io::stderr().is_terminal() => Ok(Self::Pretty),
            None => Ok(Self::Json),
        }
    }
}

/// The process's logs and spans; dropping it sends what has not been exported yet.
pub struct Telemetry {
    tracers: SdkTracerProvider,
}

impl Telemetry {
    /// Starts logging, and exporting traces where an endpoint is set.
    ///
    /// Must be called outside of the tokio runtime: the exporter's thread has a blocking client of
    /// its own, which panics when it is built inside.
    pub fn start(program: &'static str, settings: &Settings) -> Result<Self, SettingError> {
        let levels = format!("{},{TRACES}=off", settings.required(variables::RUST_LOG)?);
        let filter = EnvFilter::try_new(levels).map_err(|_| {
            SettingError::new(
                variables::RUST_LOG,
                "cannot be read",
                "for example info,worker=debug",
            )
        })?;
        let format = LogFormat::from_settings(settings)?;
        let tracers = tracers(program, settings)?;
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());

        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        let lines = match format {
            LogFormat::Pretty => lines.with_target(false).boxed(),
            LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
        };
        tracing_subscriber::registry()
            // Spans are made at `info` whatever is logged: without them no trace context would
            // travel on, and a quiet program would break the traces of its neighbours.
            .with(
                tracing_opentelemetry::layer()
                    .with_tracer(tracers.tracer(program))
                    .with_location(false)
                    .with_threads(false)
                    .with_tracked_inactivity(false)
                    // Contexts are passed on through spans; the thread's own is read by nobody.
                    .with_context_activation(false)
                    .with_filter(tracing_subscriber::filter::LevelFilter::INFO),
            )
            .with(lines.with_filter(filter))
            .init();
        Ok(Self { tracers })
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Err(error) = self.tracers.shutdown() {
            tracing::debug!(%error, "the last spans were not exported");
        }
    }
}

fn tracers(program: &'static str, settings: &Settings) -> Result<SdkTracerProvider, SettingError> {
    let resource = Resource::builder().with_service_name(program).build();
    let builder = SdkTracerProvider::builder().with_resource(resource);
    if settings.optional(variables::OTEL_EXPORTER_OTLP_ENDPOINT).is_none() {
        return Ok(builder.build());
    }
    // The exporter reads the endpoint and the other standard variables by itself.
    let exporter =
        opentelemetry_otlp::SpanExporter::builder().with_http().build().map_err(|_| {
            SettingError::new(
                variables::OTEL_EXPORTER_OTLP_ENDPOINT,
                "cannot be used",
                "the URL of an OTLP/HTTP collector, for example http://127.0.0.1:4318",
            )
        })?;
    Ok(builder.with_batch_exporter(exporter).build())
}
