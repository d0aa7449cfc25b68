//! Traces: the spans of our log, sent to a collector by OTLP over HTTP, when an operator says where.
//!
//! Without that nothing is added: no layer, no thread, no header is read. What leaves the process is a short list of
//! attributes ([`export`]), whatever a span holds: never a prompt, a key, a query string, a header or a body. A collector that
//! does not answer costs a warning.

mod client;
mod export;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_otlp::{WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::registry::LookupSpan;
use url::Url;

use client::Client;
use export::Sober;

/// Where a collector takes spans, below its address.
const PATH: &str = "v1/traces";
/// How long one delivery to the collector may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long the end of the process waits for what is not sent yet.
const LAST_WORDS: Duration = Duration::from_millis(800);

/// The way to the collector. Of one process: the second start is refused.
#[derive(Clone, Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
    is_failing: Arc<AtomicBool>,
}

static STARTED: OnceLock<Traces> = OnceLock::new();

impl Traces {
    /// Starts sending. Needs the runtime that does the sending; how much is sampled is said by `OTEL_TRACES_SAMPLER` and
    /// `OTEL_TRACES_SAMPLER_ARG`, all by default.
    pub fn start(collector: &Url) -> anyhow::Result<Traces> {
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_http_client(Client::new(TIMEOUT)?)
            .with_endpoint(address(collector))
            .with_timeout(TIMEOUT)
            .build()?;
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource = Resource::builder().with_service_name("reelmeter").with_attribute(version).build();
        let is_failing = Arc::new(AtomicBool::new(false));
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(Sober::new(exporter, is_failing.clone()))
            .with_resource(resource)
            .build();
        let traces = Traces { provider, is_failing };
        let _second = STARTED.set(traces.clone());
        Ok(traces)
    }

    /// What hands our spans over. It decides for itself which: what is logged is no matter of its.
    pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> {
        let ours = FilterFn::new(|span: &Metadata<'_>| span.is_span() && span.target().starts_with(HOME));
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("reelmeter"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_target(false)
            .with_context_activation(false)
            .with_filter(ours.with_max_level_hint(LevelFilter::DEBUG))
    }

    /// Sends what is left, for a moment. Blocks the thread.
    pub fn stop(self) {
        let stopped = self.provider.shutdown_with_timeout(LAST_WORDS);
        if let Err(error) = stopped
            && !self.is_failing.load(Ordering::Relaxed)
        {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// Spans of other crates stay out: one about the sending itself would have to be sent, too.
const HOME: &str = env!("CARGO_PKG_NAME");

fn address(collector: &Url) -> String {
    let base = collector.as_str().trim_end_matches('/');
    if base.ends_with(PATH) { base.to_owned() } else { format!("{base}/{PATH}") }
}

/// What a caller says about the trace that a request belongs to (W3C Trace Context).
#[derive(Clone, Copy, Debug, Default)]
pub struct Parent<'h> {
    pub traceparent: Option<&'h str>,
    pub tracestate: Option<&'h str>,
}

/// Makes a span part of the caller's trace, if there is one, and notes in it which trace it belongs to and what `note` adds.
/// Does nothing without a collector.
pub fn adopt<'h>(span: &Span, parent: impl FnOnce() -> Parent<'h>, note: impl FnOnce(&Span)) {
    if STARTED.get().is_none() {
        return;
    }
    let parent = TraceContextPropagator::new().extract(&parent());
    if parent.span().span_context().is_valid() {
        // Refused only when nobody listens to the span.
        let _deaf = span.set_parent(parent);
    }
    note(span);
    let trace = span.context().span().span_context().trace_id();
    span.record("trace", tracing::field::display(trace));
}

impl Extractor for Parent<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        match name {
            "traceparent" => self.traceparent,
            "tracestate" => self.tracestate,
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_go_below_the_collector_s_address_however_it_is_written() {
        for given in [
            "http://collector:4318",
            "http://collector:4318/",
            "http://collector:4318/v1/traces",
            "http://collector:4318/v1/traces/",
        ] {
            assert_eq!(address(&given.parse().unwrap()), "http://collector:4318/v1/traces", "{given}");
        }
        let below = address(&"https://example.com/otlp".parse().unwrap());
        assert_eq!(below, "https://example.com/otlp/v1/traces");
    }
}
