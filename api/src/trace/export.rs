//! What leaves the process of a span: its name, its times, and the attributes on a list.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::trace::{SpanKind, Status};
use opentelemetry::{Key, KeyValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter};

/// A field of our spans, and what a collector knows it as. A field that is not here stays here: a span in the log may name a
/// path, and a new one might name anything.
const SHOWN: [(&str, &str); 10] = [
    ("method", "http.request.method"),
    ("route", "http.route"),
    ("status", "http.response.status_code"),
    ("task", "reelmeter.task"),
    ("mode", "reelmeter.mode"),
    ("provider", "reelmeter.provider"),
    ("attempt", "reelmeter.attempt"),
    ("fence", "reelmeter.fence"),
    ("outcome", "reelmeter.outcome"),
    ("commands", "reelmeter.commands"),
];

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// An exporter that says no more than it should, and complains once.
#[derive(Debug)]
pub struct Sober<E> {
    exporter: E,
    is_failing: Arc<AtomicBool>,
}

impl<E> Sober<E> {
    /// `is_failing` says, to others as well, whether the last delivery failed and that this was told.
    pub fn new(exporter: E, is_failing: Arc<AtomicBool>) -> Self {
        Sober { exporter, is_failing }
    }
}

impl<E: SpanExporter> SpanExporter for Sober<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let sent = self.exporter.export(batch.into_iter().map(shown).collect()).await;
        let was_failing = self.is_failing.swap(sent.is_err(), Ordering::Relaxed);
        match &sent {
            Err(error) if !was_failing => {
                tracing::warn!(%error, "traces can't be sent (REELMETER_OTLP_ENDPOINT); they are dropped until they can");
            }
            Ok(()) if was_failing => tracing::info!("traces are sent again"),
            _ => {}
        }
        sent
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// A span as it may be seen outside.
fn shown(mut span: SpanData) -> SpanData {
    span.attributes = span.attributes.into_iter().filter_map(attribute).collect();
    span.events = SpanEvents::default();
    let of = |name: &str| span.attributes.iter().find(|attribute| attribute.key.as_str() == name);
    if let (Some(method), Some(route)) = (of("http.request.method"), of("http.route")) {
        let name = format!("{} {}", method.value, route.value);
        let is_ours =
            matches!(of("http.response.status_code"), Some(status) if is_server_error(&status.value));
        span.status = if is_ours { Status::error("") } else { Status::Unset };
        span.name = Cow::Owned(name);
        span.span_kind = SpanKind::Server;
    }
    span
}

fn attribute(given: KeyValue) -> Option<KeyValue> {
    let (field, name) = SHOWN.iter().find(|(field, _)| given.key.as_str() == *field)?;
    let value = if *field == "method" { method(&given.value) } else { given.value };
    Some(KeyValue::new(Key::from_static_str(name), value))
}

/// Anybody can make up a method.
fn method(given: &Value) -> Value {
    let known = METHODS.iter().find(|known| given.as_str() == **known);
    Value::from(known.copied().unwrap_or("_OTHER"))
}

fn is_server_error(status: &Value) -> bool {
    matches!(status, Value::I64(500..=599))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use opentelemetry::InstrumentationScope;
    use opentelemetry::trace::{SpanContext, SpanId};
    use opentelemetry_sdk::trace::SpanLinks;

    use super::*;

    fn span(name: &'static str, attributes: Vec<KeyValue>) -> SpanData {
        SpanData {
            span_context: SpanContext::empty_context(),
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: name.into(),
            start_time: SystemTime::UNIX_EPOCH,
            end_time: SystemTime::UNIX_EPOCH,
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::default(),
        }
    }

    fn request(method: &'static str, status: i64) -> SpanData {
        shown(span(
            "request",
            vec![
                KeyValue::new("method", method),
                KeyValue::new("path", "/api/ai/tasks/tsk_1?sig=secret"),
                KeyValue::new("route", "/api/ai/tasks/{id}"),
                KeyValue::new("status", status),
            ],
        ))
    }

    #[test]
    fn a_request_is_named_by_its_route_and_its_path_stays_inside() {
        let shown = request("GET", 404);
        assert_eq!((shown.name.as_ref(), &shown.span_kind), ("GET /api/ai/tasks/{id}", &SpanKind::Server));
        assert_eq!(shown.status, Status::Unset);
        assert!(!format!("{shown:?}").contains("secret"), "{shown:?}");
    }

    #[test]
    fn only_our_own_failures_are_errors_and_a_made_up_method_is_not_repeated() {
        assert_eq!(request("GET", 503).status, Status::error(""));
        assert_eq!(request("sk-secret", 405).name.as_ref(), "_OTHER /api/ai/tasks/{id}");
    }

    #[test]
    fn a_field_that_is_not_on_the_list_stays_inside() {
        let shown =
            shown(span("store", vec![KeyValue::new("prompt", "a fox"), KeyValue::new("task", "tsk_1")]));
        assert_eq!(shown.attributes, [KeyValue::new("reelmeter.task", "tsk_1")]);
    }
}
