//! What happens around every request: its id, its log line, the one shape of errors, and headers for the browser's safety.
//!
//! Never logged: query strings (signatures), headers (keys) and bodies.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use poem::http::header::{CACHE_CONTROL, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use poem::http::{HeaderMap, HeaderName, HeaderValue};
use poem::{Endpoint, IntoResponse, Request, Response};
use tracing::{Instrument, Span, field};

use super::dialect::Dialect;
use super::error::{self, ApiError, Rendering};
use super::tally::{self, Tally};
use super::{allowed_methods, callback, model_path, request_id};
use crate::app::App;
use crate::clock::Clock;
use crate::trace::{self, Parent};

/// Runs every request and answers it whatever happens inside; never fails.
pub struct Answered<E> {
    clock: Clock,
    tally: Tally,
    inside: E,
}

impl<E> Answered<E> {
    pub fn new(app: &App, inside: E) -> Self {
        Answered { clock: app.clock.clone(), tally: Tally::new(app.metrics.clone()), inside }
    }
}

impl<E: Endpoint> Endpoint for Answered<E> {
    type Output = Response;

    fn call(&self, mut request: Request) -> impl Future<Output = poem::Result<Response>> + Send {
        let in_flight = self.tally.begin();
        let id = request_id::of(request.headers(), &self.clock);
        request_id::note(&mut request, &id);
        let path = request.uri().path().to_owned();
        let (method, route) = (tally::method(request.method()), self.tally.route(&model_path::folded(&path)));
        let span = span(&request, &id, &path, route);
        let rendering = Rendering {
            as_problem: error::wants_problem(request.headers()),
            dialect: Dialect::of_path(&path),
            request_id: id,
        };
        let outcome = self.inside.call(request);
        let answer = async move {
            let started = self.clock.now();
            let response = respond(outcome, &path, &rendering, &self.tally).await;
            let ms = self.clock.now().millis() - started.millis();
            in_flight.answered(method, route, response.status());
            tracing::Span::current().record("status", response.status().as_u16()).record("ms", ms);
            // Not at info: an access log is the proxy's work, and at our rates a line costs more than a refusal.
            tracing::debug!("answered");
            Ok(with_headers(response, &rendering.request_id))
        };
        answer.instrument(span)
    }
}

fn span(request: &Request, id: &str, path: &str, route: &'static str) -> Span {
    let span = tracing::info_span!(
        "request",
        id = %id,
        method = %request.method(),
        path = %callback::loggable(path),
        route = field::Empty,
        trace = field::Empty,
        status = field::Empty,
        ms = field::Empty,
    );
    trace::adopt(
        &span,
        || parent(request.headers()),
        |span| {
            span.record("route", route);
        },
    );
    span
}

/// The headers that say which trace a request belongs to.
fn parent(headers: &HeaderMap) -> Parent<'_> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    Parent { traceparent: text("traceparent"), tracestate: text("tracestate") }
}

async fn respond(
    outcome: impl Future<Output = poem::Result<impl IntoResponse>>,
    path: &str,
    rendering: &Rendering,
    tally: &Tally,
) -> Response {
    let error = match AssertUnwindSafe(outcome).catch_unwind().await {
        Ok(Ok(output)) => return output.into_response(),
        Ok(Err(error)) => ApiError::from_framework(error, || allowed_methods(path)),
        // The panic's own message went to standard error already.
        Err(_) => ApiError::internal(anyhow::anyhow!("a handler panicked")),
    };
    tally.refused(error.code());
    if error.status().is_server_error() {
        tracing::error!(code = error.code(), "{error}");
    } else {
        tracing::debug!(code = error.code(), "{error}");
    }
    rendering.render(&error)
}

fn with_headers(mut response: Response, request_id: &str) -> Response {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(HeaderName::from_static(request_id::HEADER), id);
    }
    response
}

#[cfg(test)]
mod tests {
    use poem::endpoint::make;
    use poem::error::NotFoundError;
    use poem::http::StatusCode;
    use serde_json::Value;

    use super::*;
    use crate::metrics::Metrics;

    async fn answered(outcome: fn() -> poem::Result<Response>) -> (Response, String) {
        let request = Request::builder().header("x-request-id", "r1").finish();
        let inside = make(move |_| async move { outcome() });
        let door = Answered { clock: Clock::system(), tally: Tally::new(Metrics::default()), inside };
        let mut response = door.call(request).await.unwrap();
        let body = response.take_body().into_string().await.unwrap();
        (response, body)
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_error_that_tells_nothing_but_the_request() {
        let (response, body) = answered(|| panic!("secret")).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((&body["error"], &body["requestId"]), (&"Internal error".into(), &"r1".into()));
        assert!(!body.to_string().contains("secret"));
    }

    #[tokio::test]
    async fn every_answer_has_the_safety_headers_and_its_request_id() {
        for outcome in [(|| Ok(Response::default())) as fn() -> _, || Err(NotFoundError.into())] {
            let (response, _) = answered(outcome).await;
            for (name, value) in [
                ("x-request-id", "r1"),
                ("cache-control", "no-store"),
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "no-referrer"),
            ] {
                assert_eq!(response.header(name), Some(value), "{name}");
            }
        }
    }

    #[tokio::test]
    async fn an_answer_keeps_a_cache_policy_of_its_own() {
        let (response, _) =
            answered(|| Ok(Response::builder().header("cache-control", "private").finish())).await;
        assert_eq!(response.header("cache-control"), Some("private"));
    }
}
