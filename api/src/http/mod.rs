//! ROOM 1, the front door: the only room that knows `poem`.
//!
//! Dialects fold what came into the one request of the video room and word its answers; nothing is decided here. This room
//! must never read or write the database itself, never show an entity's row, and never let a refusal out in any other shape
//! than [`error::ApiError`]'s. Whoever calls is an argument of the handler ([`auth::Caller`]), so the check can't be forgotten.

pub mod account;
pub mod auth;
pub mod body;
mod callback;
pub mod credits;
pub mod description;
pub mod dialect;
pub mod error;
pub mod etag;
pub mod file;
pub mod health;
pub mod idempotency;
pub mod key;
pub mod limit;
pub mod live;
pub mod metrics;
pub mod page;
pub mod peer;
pub mod query;
pub mod rendered;
pub mod request_id;
pub mod serve;
pub mod upload;
pub mod value;
pub mod webhook;

mod around;
mod model_path;
mod routes;
mod tally;

use std::sync::Arc;

use poem::endpoint::Endpoint;
use poem::{EndpointExt, IntoEndpoint, Response, Route};
use poem_openapi::{OpenApi, OpenApiService, Tags};

use crate::app::App;
use around::Answered;
use dialect::{actions, generations, jimeng, jobs, kling, native, openai};
use limit::Marked;
use routes::Routes;

/// Every path, with its methods. A path that answers `GET` answers `HEAD` too.
pub const PATHS: &[(&str, &[&str])] = &[
    ("/api/ai/video/generate", &["POST"]),
    ("/api/ai/video/quote", &["POST"]),
    ("/api/ai/models", &["GET"]),
    ("/api/ai/models/{id}", &["GET"]),
    ("/api/ai/models/{id}/schema", &["GET"]),
    ("/api/ai/tasks", &["GET"]),
    ("/api/ai/tasks/{id}", &["GET", "DELETE"]),
    ("/api/ai/tasks/{id}/content", &["GET", "HEAD"]),
    ("/api/ai/tasks/{id}/link", &["GET"]),
    ("/api/ai/tasks/{id}/cancel", &["POST"]),
    ("/api/ai/tasks/{id}/events", &["GET"]),
    ("/api/uploads", &["POST"]),
    ("/api/uploads/{id}", &["GET", "DELETE"]),
    ("/api/uploads/{id}/content", &["GET", "HEAD"]),
    ("/api/events", &["GET"]),
    ("/api/ai/credits", &["GET"]),
    ("/api/ai/credits/ledger", &["GET"]),
    ("/api/keys", &["GET", "POST"]),
    ("/api/keys/{id}", &["GET", "PATCH", "DELETE"]),
    ("/api/keys/{id}/rotate", &["POST"]),
    ("/api/keys/{id}/revoke", &["POST"]),
    ("/api/key", &["GET"]),
    ("/api/credits/redeem", &["POST"]),
    ("/api/credits/alerts", &["GET", "PUT"]),
    ("/api/auth/register", &["POST"]),
    ("/api/auth/login", &["POST"]),
    ("/api/auth/logout", &["POST"]),
    ("/api/auth/me", &["GET"]),
    ("/api/auth/mode", &["POST"]),
    ("/api/auth/sessions", &["GET", "DELETE"]),
    ("/api/auth/sessions/{id}", &["DELETE"]),
    ("/api/auth/password", &["POST"]),
    ("/api/auth/password/forgot", &["POST"]),
    ("/api/auth/password/reset", &["POST"]),
    ("/api/auth/totp", &["POST", "DELETE"]),
    ("/api/auth/totp/confirm", &["POST"]),
    ("/api/beta/request", &["POST"]),
    ("/api/beta/redeem", &["POST"]),
    ("/api/usage", &["GET"]),
    ("/v1/videos", &["POST", "GET"]),
    ("/v1/videos/edits", &["POST"]),
    ("/v1/videos/extensions", &["POST"]),
    ("/v1/videos/{id}", &["GET", "DELETE"]),
    ("/v1/videos/{id}/content", &["GET", "HEAD"]),
    ("/v1/videos/{id}/remix", &["POST"]),
    ("/v1/models", &["GET"]),
    ("/v1/models/{id}", &["GET"]),
    ("/api/webhooks/secret", &["GET", "POST"]),
    ("/api/webhooks/stream", &["GET"]),
    ("/api/webhooks", &["GET", "POST"]),
    ("/api/webhooks/{id}", &["GET", "PATCH", "DELETE"]),
    ("/api/webhooks/{id}/rotate", &["POST"]),
    ("/api/webhooks/{id}/test", &["POST"]),
    ("/api/webhooks/{id}/deliveries", &["GET"]),
    ("/api/webhooks/{id}/deliveries/{event}/resend", &["POST"]),
    ("/api/webhooks/{id}/replay", &["POST"]),
    ("/api/actions", &["GET"]),
    ("/api/actions/{name}", &["POST"]),
    ("/api/actions/{name}/schema", &["GET"]),
    ("/api/v1/jobs/createTask", &["POST"]),
    ("/api/v1/jobs/recordInfo", &["GET"]),
    ("/api/v1/chat/credit", &["GET"]),
    ("/v1/video/generations", &["POST"]),
    ("/v1/video/generations/{id}", &["GET"]),
    ("/kling/v1/videos/{kind}", &["GET", "POST"]),
    ("/kling/v1/videos/{kind}/{id}", &["GET"]),
    ("/jimeng", &["POST"]),
    ("/healthz", &["GET"]),
    ("/readyz", &["GET"]),
];

#[derive(Tags)]
enum Tag {
    /// Prices, tasks and their clips.
    Videos,
    /// `/v1/videos`, for OpenAI's client libraries and those of the gateways of its shape.
    #[oai(rename = "OpenAI")]
    OpenAi,
    /// Things that can be done by name, each with a schema of what it takes.
    Actions,
    /// `/api/v1/jobs`, for clients of aggregators of models.
    Jobs,
    /// The other routes of video gateways, and those of Kling and Jimeng as they are found there.
    Gateways,
    /// What an account holds, and how it came to that.
    Credits,
    /// API keys and their limits.
    Keys,
    /// Your own servers, and what they are told.
    Webhooks,
    /// Registering, signing in, and who may come in.
    Account,
    /// For load balancers and supervisors.
    Health,
}

/// All operations. They find the [`App`] in the request, so that the description can be printed without one.
fn operations() -> impl OpenApi {
    (
        (native::Generate, native::Models),
        (native::Task::default(), native::Tasks, native::Events, native::Content, native::Link),
        upload::Uploads,
        (native::Credits, native::Usage, credits::Redeem, credits::Alerts),
        (openai::Videos, openai::Item, openai::Derive, openai::Content, openai::Models),
        (actions::List, actions::Call, jobs::Create, jobs::Read),
        (generations::Generations, kling::Tasks, kling::Read, jimeng::Jimeng),
        key::operations(),
        webhook::operations(),
        (account::Auth, account::Sessions, account::Password, account::SecondFactor, account::Beta),
        health::Health,
    )
}

fn service() -> OpenApiService<impl OpenApi, ()> {
    OpenApiService::new(operations(), "Reelmeter", env!("CARGO_PKG_VERSION"))
        .description("Video generation, metered in credits.")
}

/// The whole door: every route, and around it what is the same for all of them.
pub fn endpoint(app: App) -> impl Endpoint<Output = Response> {
    let public_url = app.config.public_url.is_some().then(|| app.config.public_url());
    let app = Arc::new(app);
    let described =
        description::routes(Route::new(), service().spec(), || service().swagger_ui_html(), public_url);
    let pages = callback::routes(account::page::routes(described), app.clone())
        .at(metrics::PATH, metrics::on_ordinary_address(app.clone()));
    let operations = service().into_endpoint();
    let routes = Routes::new(app.clone(), pages.boxed(), page_paths(), operations);
    Marked::new(app.clone(), Answered::new(&app, routes))
}

/// The description of the API (OpenAPI 3.1), as it is committed: it names no server.
pub fn openapi() -> anyhow::Result<serde_json::Value> {
    description::document(&service().spec(), None)
}

/// Paths of what is for people to look at, with their methods: no operations of the API.
fn pages() -> impl Iterator<Item = &'static (&'static str, &'static [&'static str])> {
    description::PATHS.iter().chain(&account::page::PATHS).chain(&callback::PATHS)
}

/// The paths of everything that is served beside the operations.
fn page_paths() -> impl Iterator<Item = &'static str> {
    pages().map(|(path, _)| *path).chain([metrics::PATH])
}

/// The `Allow` header of a path; empty when there is no such path.
fn allowed_methods(path: &str) -> String {
    let path = &*model_path::folded(path);
    let known = PATHS.iter().chain(pages()).find(|(template, _)| matches(template, path));
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
