//! ROOM 1, the front door: the only room that knows `poem`.
//!
//! Dialects fold what came into the one request of the video room and word its answers; nothing is decided here. This room
//! must never read or write the database itself, never show an entity's row, and never let a refusal out in any other shape
//! than [`error::ApiError`]'s. Whoever calls is an argument of the handler ([`auth::Caller`]), so the check can't be forgotten.

pub mod auth;
pub mod body;
pub mod dialect;
pub mod error;
pub mod health;
pub mod idempotency;
pub mod request_id;
pub mod value;

mod around;

use std::sync::Arc;

use poem::endpoint::Endpoint;
use poem::{EndpointExt, IntoEndpoint, Response};
use poem_openapi::{OpenApi, OpenApiService, Tags};

use crate::app::App;
use dialect::native;

/// Every path, with its methods. A path that answers `GET` answers `HEAD` too.
pub const PATHS: [(&str, &[&str]); 10] = [
    ("/api/ai/video/generate", &["POST"]),
    ("/api/ai/video/quote", &["POST"]),
    ("/api/ai/tasks/{id}", &["GET"]),
    ("/api/ai/tasks/{id}/content", &["GET", "HEAD"]),
    ("/api/ai/tasks/{id}/link", &["GET"]),
    ("/api/ai/tasks/{id}/cancel", &["POST"]),
    ("/api/ai/credits", &["GET"]),
    ("/api/ai/credits/ledger", &["GET"]),
    ("/healthz", &["GET"]),
    ("/readyz", &["GET"]),
];

#[derive(Tags)]
enum Tag {
    /// Prices, tasks and their clips.
    Videos,
    /// What an account holds, and how it came to that.
    Credits,
    /// For load balancers and supervisors.
    Health,
}

/// All operations. They find the [`App`] in the request, so that the description can be printed without one.
fn operations() -> impl OpenApi {
    (native::Generate, native::Task, native::Content, native::Link, native::Credits, health::Health)
}

fn service() -> OpenApiService<impl OpenApi, ()> {
    OpenApiService::new(operations(), "Reelmeter", env!("CARGO_PKG_VERSION")).description(
        "Video generation, metered in credits. Credits are held when a task is accepted, captured for what is \
         delivered, and given back otherwise. Amounts are numbers of credits with at most 3 decimals; times are \
         RFC 3339 in UTC.",
    )
}

/// The whole door: every route, and around it what is the same for all of them.
pub fn endpoint(app: App) -> impl Endpoint<Output = Response> {
    let clock = app.clock.clone();
    let routes = service().into_endpoint().data(Arc::new(app));
    routes.around(move |next, request| around::answer(next, request, clock.clone()))
}

/// The description of the API (OpenAPI 3.0, pretty JSON): the same text on every call.
pub fn openapi() -> String {
    service().spec()
}

/// The `Allow` header of a path; empty when there is no such path.
fn allowed_methods(path: &str) -> String {
    let known = PATHS.iter().find(|(template, _)| matches(template, path));
    let methods = known.map_or(&[][..], |(_, methods)| methods);
    let implied = methods.contains(&"GET") && !methods.contains(&"HEAD");
    methods.iter().copied().chain(implied.then_some("HEAD")).collect::<Vec<_>>().join(", ")
}

fn matches(template: &str, path: &str) -> bool {
    let fits = |(part, given): (&str, &str)| part == given || (part.starts_with('{') && !given.is_empty());
    template.split('/').count() == path.split('/').count()
        && template.split('/').zip(path.split('/')).all(fits)
}

#[cfg(test)]
mod tests;
