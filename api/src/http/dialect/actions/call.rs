//! `POST /api/actions/{name}`: does what the name says.

use std::sync::Arc;
use std::time::Duration;

use poem::Request;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::{Json, Response};
use poem_openapi::{Object, OpenApi};
use serde_json::Value;

use super::super::accept::{self, Taken, accept};
use super::super::record::{later, polled};
use super::DIALECT;
use super::action::Action;
use super::fold::{fold, timeout};
use super::view::{Answer, Outcome, PriceAnswer, UploadAnswer, task};
use crate::app::App;
use crate::http::Tag;
use crate::http::auth::{Anyone, Caller, VideosRead, VideosWrite};
use crate::http::body::{Fields, JsonObject};
use crate::http::error::ApiError;
use crate::http::idempotency::IdempotencyKey;
use crate::http::live::Waiter;
use crate::http::live::wait::find;
use crate::http::upload::{file_of, view as upload_view};
use crate::video::request::FieldErrors;

pub struct Call;

// Only describes the body: each action reads its own fields.
/// What an action takes: `GET /api/actions/{name}/schema` says which of these. Unknown fields are ignored and named in
/// `warnings`.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct ActionInput {
    /// What to show.
    prompt: Option<String>,
    /// `text-to-video` (when left out), `image-to-video`, `video-to-video` or `ad-video`.
    scene: Option<String>,
    /// The only provider that may make it.
    provider: Option<String>,
    /// Id or alias of a model; the scene has one of its own.
    model: Option<String>,
    /// The images to begin with: a list of addresses, or a text with commas between them.
    image_input: Option<Value>,
    /// The videos to change, in the same way.
    video_input: Option<Value>,
    /// Milliseconds to wait for the video; 600000 when left out.
    timeout_ms: Option<u64>,
    /// Everything else: `duration`, `resolution`, `aspectRatio`, `generateAudio`, `negativePrompt`, `seed`, `count` and the
    /// model's other options, and keys of a provider's own.
    options: Option<Value>,
    /// Your own name for where this belongs; `GET /api/ai/tasks?metadata=workspaceId:…` finds it.
    workspace_id: Option<String>,
    /// From `ai.video.quote`: buys exactly what was quoted, at that price, once.
    quote_id: Option<String>,
    /// The task to read, in any dialect's spelling.
    task_id: Option<String>,
    /// The file to keep: a `data:` URL, or base64.
    data: Option<String>,
}

#[OpenApi(tag = "Tag::Actions")]
impl Call {
    /// Call an action
    ///
    /// `ai.video.generate` holds what the video costs, queues it and answers at once. `ai.video.generate_and_wait` answers when
    /// the video is there, or after `timeoutMs` with the task as it is then: it goes on, and `ai.video.query` reads it. It is
    /// paid for before the wait begins: hanging up ends the wait, not the task. Too many waits of an account at once are not.
    ///
    /// `ai.video.quote` answers with the price of the same input, which binds us until `expiresAt` if its `quoteId` is sent along.
    /// Buys nothing and holds nothing.
    ///
    /// Sent again with the same `Idempotency-Key` and content, either of the two gives the same task and charges nothing.
    ///
    /// `storage.upload` keeps a file, as `POST /api/uploads` does.
    ///
    /// Scope: `videos:write` to generate, to quote and to upload, `videos:read` to query.
    #[oai(path = "/api/actions/:name", method = "post", operation_id = "callAction")]
    async fn call(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<Anyone>,
        /// The action's name.
        name: Path<String>,
        /// A name for this request, 1 to 255 visible ASCII characters; kept as long as the task.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyKey,
        request: &Request,
        body: JsonObject<ActionInput>,
    ) -> Result<Response<Json<Outcome>>, ApiError> {
        let mut fields = body.fields;
        match Action::named(&name)? {
            Action::Generate => {
                let caller = caller.allowed()?;
                Ok(ordered(&app, generate(&app, &caller, key, request, fields).await?))
            }
            Action::GenerateAndWait => {
                let caller = caller.allowed()?;
                let timeout = timeout(&mut fields);
                let taken = generate(&app, &caller, key, request, fields).await?;
                Ok(ordered(&app, waited_for(&app, &caller, taken, timeout).await))
            }
            Action::Quote => quote(&app, &caller.allowed()?, fields).await,
            Action::Query => query(&app, &caller.allowed()?, fields).await,
            Action::Upload => upload(&app, &caller.allowed()?, fields).await,
        }
    }
}

async fn generate(
    app: &App,
    caller: &Caller<VideosWrite>,
    key: IdempotencyKey,
    request: &Request,
    fields: Fields,
) -> Result<Taken, ApiError> {
    let folded = fold(fields, &app.video.catalog);
    accept(app, caller, DIALECT, key, request.headers(), folded).await
}

/// The task once it has ended, or as it is when the time is over. What goes wrong with the wait must not look as if the task
/// had: it is as if nobody had asked for it.
async fn waited_for(app: &App, caller: &Caller<VideosWrite>, taken: Taken, timeout: Duration) -> Taken {
    let Some(waiter) = Waiter::lasting(app, caller.account, timeout) else { return taken };
    let id = taken.view.task.id;
    match waiter.task(app, caller.account, id, |view| view.state.is_terminal()).await {
        Ok(view) => Taken { view, ..taken },
        Err(error) => {
            tracing::warn!(task = %id, "a wait for an accepted task is given up: {error}");
            taken
        }
    }
}

async fn quote(
    app: &App,
    caller: &Caller<VideosWrite>,
    fields: Fields,
) -> Result<Response<Json<Outcome>>, ApiError> {
    let quoted = accept::quote(app, caller, DIALECT, fold(fields, &app.video.catalog)).await?;
    Ok(Response::new(Json(Outcome::Quote(Box::new(PriceAnswer::of(quoted.into()))))))
}

async fn upload(
    app: &App,
    caller: &Caller<VideosWrite>,
    fields: Fields,
) -> Result<Response<Json<Outcome>>, ApiError> {
    let upload = app.video.uploads.keep(caller.account, &file_of(fields)?).await?;
    Ok(Response::new(Json(Outcome::Upload(Box::new(UploadAnswer::of(upload_view(app, &upload)))))))
}

fn ordered(app: &App, taken: Taken) -> Response<Json<Outcome>> {
    let location = format!("/api/ai/tasks/{}", taken.view.task.id);
    let body = Outcome::Task(Box::new(Answer::of(task(app, &taken.view).warned(taken.warnings.clone()))));
    later(&taken.view, taken.answer(body, &location))
}

async fn query(
    app: &App,
    caller: &Caller<VideosRead>,
    mut fields: Fields,
) -> Result<Response<Json<Outcome>>, ApiError> {
    let id = fields.text("taskId");
    fields.finish()?;
    let Some(id) = id else { return Err(required("taskId").into()) };
    let id = id.parse().map_err(|_| ApiError::TaskNotFound)?;
    let view = find(app, caller.account, id).await?;
    Ok(polled(&view, Outcome::Task(Box::new(Answer::of(task(app, &view))))))
}

fn required(field: &str) -> FieldErrors {
    let mut errors = FieldErrors::default();
    errors.push(field, "Required");
    errors
}
