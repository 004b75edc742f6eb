//! Where spans go: to an OTLP collector, as OpenTelemetry's standard variables say
//! (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>).
//!
//! Spans are handed to a thread of the SDK's own through a bounded queue. Whatever becomes of the
//! collector, nobody waits for it: what does not fit is dropped, and a request that takes too long
//! is given up.

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
};

use hyper::Uri;
use opentelemetry::Key;
use opentelemetry_otlp::SpanExporter as OtlpExporter;
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};

use crate::{SettingError, Settings, Variable, install_crypto_provider, variables};

/// Links that a span may have unless `OTEL_SPAN_LINK_COUNT_LIMIT` says otherwise: a transaction is
/// linked with every event in it, and there may be 256.
const LINKS: u32 = 512;
const LINK_LIMIT: &str = "OTEL_SPAN_LINK_COUNT_LIMIT";

/// Makes the spans of `program`, and exports them; none where no endpoint is set, or all is
/// switched off.
pub(super) fn tracers(
    program: &'static str,
    settings: &Settings,
) -> Result<Option<SdkTracerProvider>, SettingError> {
    if !is_wanted(settings)? {
        return Ok(None);
    }
    // An https collector is asked with the same TLS as everybody else.
    install_crypto_provider();
    // The exporter reads the endpoint, the headers, the timeout and so on by itself.
    let exporter = OtlpExporter::builder()
        .with_http()
        .build()
        .map_err(|_| unusable(variables::OTEL_EXPORTER_OTLP_ENDPOINT))?;
    let mut builder = SdkTracerProvider::builder()
        .with_resource(resource(program))
        .with_batch_exporter(Reported::new(exporter));
    if std::env::var_os(LINK_LIMIT).is_none() {
        builder = builder.with_max_links_per_span(LINKS);
    }
    Ok(Some(builder.build()))
}

fn is_wanted(settings: &Settings) -> Result<bool, SettingError> {
    let mut has_endpoint = false;
    for variable in
        [variables::OTEL_EXPORTER_OTLP_ENDPOINT, variables::OTEL_EXPORTER_OTLP_TRACES_ENDPOINT]
    {
        let Some(endpoint) = settings.optional(variable) else { continue };
        if !is_web_address(endpoint) {
            return Err(unusable(variable));
        }
        has_endpoint = true;
    }
    let is_disabled = settings
        .optional(variables::OTEL_SDK_DISABLED)
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let is_exported = match settings.optional(variables::OTEL_TRACES_EXPORTER) {
        Some("otlp") | None => true,
        Some("none") => false,
        Some(_) => {
            return Err(SettingError::new(
                variables::OTEL_TRACES_EXPORTER,
                "is not a known exporter",
                "otlp or none",
            ));
        }
    };
    match settings.optional(variables::OTEL_EXPORTER_OTLP_PROTOCOL) {
        Some("http/protobuf") | None => {}
        // Falling back would send HTTP to a port that speaks something else.
        Some(_) => {
            return Err(SettingError::new(
                variables::OTEL_EXPORTER_OTLP_PROTOCOL,
                "is not spoken here",
                "http/protobuf, which collectors take on port 4318",
            ));
        }
    }
    check_sampler(settings)?;
    Ok(has_endpoint && !is_disabled && is_exported)
}

/// The SDK takes what it does not know for its default, and keeps every trace.
fn check_sampler(settings: &Settings) -> Result<(), SettingError> {
    let name = settings.optional(variables::OTEL_TRACES_SAMPLER);
    let base = name.map(|name| name.strip_prefix("parentbased_").unwrap_or(name));
    if base.is_some_and(|base| !["always_on", "always_off", "traceidratio"].contains(&base)) {
        return Err(SettingError::new(
            variables::OTEL_TRACES_SAMPLER,
            "is not a known sampler",
            "always_on, always_off, traceidratio, or parentbased_ with one of these",
        ));
    }
    let share = settings.optional(variables::OTEL_TRACES_SAMPLER_ARG);
    let is_share = |text: &str| text.parse().is_ok_and(|share: f64| (0.0..=1.0).contains(&share));
    if base == Some("traceidratio") && share.is_some_and(|share| !is_share(share)) {
        return Err(SettingError::new(
            variables::OTEL_TRACES_SAMPLER_ARG,
            "is no share",
            "a number from 0 to 1",
        ));
    }
    Ok(())
}

/// The exporter itself would take `http://`, and fail for ever without a word.
fn is_web_address(text: &str) -> bool {
    text.parse::<Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty())
    })
}

fn unusable(variable: Variable) -> SettingError {
    SettingError::new(
        variable,
        "cannot be used",
        "the URL of an OTLP/HTTP collector, for example http://127.0.0.1:4318",
    )
}

/// Who makes the spans: what `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say, and the
/// program's name where they do not.
fn resource(program: &'static str) -> Resource {
    let from_environment = Resource::builder().build();
    let is_named = from_environment
        .get(&Key::from_static_str("service.name"))
        .is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let builder = Resource::builder().with_attribute(version);
    if is_named { builder } else { builder.with_service_name(program) }.build()
}

/// An exporter that tells once when it fails, and once when it works again. The SDK itself is
/// silent, and an SRE would look for spans that never left.
struct Reported<E> {
    exporter: E,
    failing: AtomicBool,
}

impl<E> Reported<E> {
    fn new(exporter: E) -> Self {
        Self { exporter, failing: AtomicBool::new(false) }
    }

    fn report(&self, result: &OTelSdkResult) {
        let is_failing = result.is_err();
        if self.failing.swap(is_failing, Ordering::Relaxed) == is_failing {
            return;
        }
        match result {
            Ok(()) => tracing::info!("spans are exported again"),
            Err(error) => {
                let reason = reason(error);
                tracing::warn!(reason, "spans cannot be exported and are dropped");
            }
        }
    }
}

impl<E: fmt::Debug> fmt::Debug for Reported<E> {
    // The exporter's own has the headers that the collector is asked with, keys among them.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Reported").finish_non_exhaustive()
    }
}

impl<E: SpanExporter> SpanExporter for Reported<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let result = self.exporter.export(batch).await;
        self.report(&result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: std::time::Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// A few words of ours: the exporter's own may quote the address, with a password in it, or what
/// the collector answered.
fn reason(error: &OTelSdkError) -> &'static str {
    match error {
        OTelSdkError::Timeout(_) => "the collector takes too long",
        OTelSdkError::AlreadyShutdown => "the program ends",
        OTelSdkError::InternalFailure(text) if text.contains("network") => {
            "the collector cannot be reached"
        }
        OTelSdkError::InternalFailure(_) => "the collector refuses them",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use super::*;

    fn wanted(pairs: &[(&str, &str)]) -> Result<bool, String> {
        let settings = Settings::from_pairs(pairs.iter().copied());
        is_wanted(&settings).map_err(|error| error.to_string())
    }

    #[test]
    fn spans_are_made_where_an_endpoint_is_set_and_nothing_forbids_it() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
        let of_traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:4318/v1/traces");
        assert_eq!(wanted(&[]), Ok(false));
        assert_eq!(wanted(&[endpoint]), Ok(true));
        assert_eq!(wanted(&[of_traces]), Ok(true));
        assert_eq!(wanted(&[endpoint, ("OTEL_SDK_DISABLED", "true")]), Ok(false));
        assert_eq!(wanted(&[endpoint, ("OTEL_SDK_DISABLED", "false")]), Ok(true));
        assert_eq!(wanted(&[endpoint, ("OTEL_TRACES_EXPORTER", "none")]), Ok(false));
        assert_eq!(wanted(&[endpoint, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")]), Ok(true));
        let refused = wanted(&[endpoint, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).unwrap_err();
        assert!(refused.contains("http/protobuf"), "{refused}");
        assert!(wanted(&[endpoint, ("OTEL_TRACES_EXPORTER", "zipkin")]).is_err());
        let sampler = |name, share| {
            wanted(&[("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", share)])
        };
        assert!(sampler("parentbased_traceidratio", "0.25").is_ok());
        assert!(sampler("always_of", "").unwrap_err().starts_with("OTEL_TRACES_SAMPLER: "));
        assert!(
            sampler("traceidratio", "25%").unwrap_err().starts_with("OTEL_TRACES_SAMPLER_ARG: ")
        );
        for wrong in ["http://", "127.0.0.1:4318", "grpc://127.0.0.1:4317", "collector"] {
            for (name, _) in [endpoint, of_traces] {
                let refused = wanted(&[(name, wrong)]).unwrap_err();
                assert!(refused.starts_with(&format!("{name}: cannot be used")), "{refused}");
            }
        }
    }
}
