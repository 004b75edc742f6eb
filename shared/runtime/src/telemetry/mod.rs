//! Log lines on stderr, and spans that carry a W3C trace context from program to program.

mod export;
mod failure_log;
mod levels;
mod library_limits;
mod lines;
mod panics;

use std::{io::IsTerminal, time::Duration};

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::{
    Layer, Registry,
    filter::{FilterExt, LevelFilter, filter_fn},
    fmt::writer::BoxMakeWriter,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

pub use self::{failure_log::FailureLog, levels::TRACES};
use crate::{SettingError, Settings, variables};

/// How long the last spans may take to leave when a program ends.
const SPANS_LIMIT: Duration = Duration::from_secs(2);
/// How long they and the last lines may; a drain's limit has room for it.
pub(crate) const FLUSH_LIMIT: Duration = SPANS_LIMIT.saturating_add(lines::FLUSH_LIMIT);

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

/// The process's logs and spans; dropping it sends what has not been exported or written yet, for a
/// few seconds at most.
pub struct Telemetry {
    tracers: Option<SdkTracerProvider>,
    /// Dropped last: what the others still say is written too.
    _lines: Option<lines::Flush>,
}

impl Telemetry {
    /// Starts logging, and exporting spans where an endpoint is set. Lines are written by whoever
    /// has them to say: for a command, which has nothing to do for others meanwhile.
    pub fn start(program: &'static str, settings: &Settings) -> Result<Self, SettingError> {
        Self::begin(program, settings, BoxMakeWriter::new(std::io::stderr), None)
    }

    /// The same for a daemon, whose work goes on whether or not anybody reads its log.
    pub(crate) fn start_beside(
        program: &'static str,
        settings: &Settings,
    ) -> Result<Self, SettingError> {
        let (writer, flush) = lines::beside();
        Self::begin(program, settings, BoxMakeWriter::new(writer), Some(flush))
    }

    fn begin(
        program: &'static str,
        settings: &Settings,
        writer: BoxMakeWriter,
        lines: Option<lines::Flush>,
    ) -> Result<Self, SettingError> {
        let tracers = export::tracers(program, settings)?;
        let layers = layers(program, settings, tracers.as_ref(), writer)?;
        std::panic::set_hook(Box::new(panics::report));
        tracing_subscriber::registry().with(layers).init();
        Ok(Self { tracers, _lines: lines })
    }
}

/// What is done with lines and spans. There is no layer for what is not exported: beside one that
/// is `None`, tracing takes every span for wanted, and makes it.
fn layers(
    program: &'static str,
    settings: &Settings,
    tracers: Option<&SdkTracerProvider>,
    writer: BoxMakeWriter,
) -> Result<Vec<Box<dyn Layer<Registry> + Send + Sync>>, SettingError> {
    let filter = levels::filter(settings)?;
    // The hints keep levels that nobody wants from being looked at, statement by statement.
    let lines_wanted =
        filter.and(filter_fn(library_limits::allows).with_max_level_hint(LevelFilter::TRACE));
    let lines = tracing_subscriber::fmt::layer();
    let lines = match LogFormat::from_settings(settings)? {
        LogFormat::Pretty => {
            lines.with_target(false).with_writer(lines::Visible::on(writer)).boxed()
        }
        LogFormat::Json => {
            lines.with_writer(writer).json().flatten_event(true).with_span_list(false).boxed()
        }
    };
    let spans = tracers.map(|tracers| {
        tracing_opentelemetry::layer()
            .with_tracer(tracers.tracer(program))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            // Contexts are passed on through spans; the thread's own is read by nobody.
            .with_context_activation(false)
            // Log lines have the trace's id, and stay where they are.
            .with_filter(
                filter_fn(|metadata| metadata.is_span() && metadata.target() == TRACES)
                    .with_max_level_hint(LevelFilter::INFO),
            )
            .boxed()
    });
    Ok(spans.into_iter().chain([lines.with_filter(lines_wanted).boxed()]).collect())
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        let Some(tracers) = &self.tracers else { return };
        if let Err(error) = tracers.shutdown_with_timeout(SPANS_LIMIT) {
            tracing::debug!(%error, "the last spans were not exported");
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use super::*;

    #[test]
    fn spans_that_nobody_exports_are_not_made() {
        let settings = Settings::from_pairs([("RUST_LOG", "info"), ("LOG_FORMAT", "json")]);
        let subscriber = tracing_subscriber::registry()
            .with(layers("gateway", &settings, None, BoxMakeWriter::new(std::io::stderr)).unwrap());
        tracing::subscriber::with_default(subscriber, || {
            assert!(tracing::info_span!(target: TRACES, "POST").is_disabled());
            assert!(tracing::enabled!(tracing::Level::INFO));
        });
    }
}
