//! `POST /v1/video/generations` and `GET /v1/video/generations/{id}`.

use std::collections::BTreeMap;
use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::{Json, Response};
use poem_openapi::{Object, OpenApi};
use serde_json::Value;

use super::super::accept::accept;
use super::super::gateway::{self, Folded, Route};
use super::super::record::{polled, task_name};
use super::DIALECT;
use super::view::{Created, Generation, created, generation};
use crate::app::App;
use crate::http::Tag;
use crate::http::auth::{Caller, VideosRead, VideosWrite};
use crate::http::body::FormObject;
use crate::http::error::ApiError;
use crate::http::idempotency::IdempotencyKey;

pub struct Generations;

// Only describes the body: `gateway::fold` reads it, under all the names that docs/DIALECTS.md lists.
/// What to make. Takes every field of `POST /v1/videos`, too; unknown ones are ignored and named in `warnings`.
#[derive(Debug, Object)]
struct CreateGeneration {
    /// Id or alias of a model; the setting `videos_default_model` when left out.
    model: Option<String>,
    /// What to show. Most models require it.
    prompt: Option<String>,
    /// The image to begin with: a URL or base64.
    image: Option<String>,
    /// Seconds.
    duration: Option<u32>,
    /// Pixels, together with `height`: the model's ratio within 2 % and its smallest resolution that is not below the shorter
    /// side.
    width: Option<u32>,
    height: Option<u32>,
    /// Frames a second, where the model's provider is told of them; refused elsewhere.
    fps: Option<u32>,
    /// -1 is any.
    seed: Option<i32>,
    /// Clips to make; each is paid for.
    n: Option<u32>,
    /// Only `url`.
    response_format: Option<String>,
    /// Your own name for your end user.
    user: Option<String>,
    /// More fields, as if they stood beside it, such as `negative_prompt`; and keys of a provider's own, allowed model by
    /// model. What contradicts a field beside it is refused.
    metadata: Option<BTreeMap<String, Value>>,
}

#[OpenApi(tag = "Tag::Gateways")]
impl Generations {
    /// Create a video generation task
    ///
    /// Holds what the video costs, queues it and answers at once. Takes JSON or a form.
    ///
    /// Sent again with the same `Idempotency-Key` it gives the same task and charges nothing.
    ///
    /// Scope: `videos:write`.
    #[oai(path = "/v1/video/generations", method = "post", operation_id = "createGeneration")]
    async fn create(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosWrite>,
        /// A name for this request, 1 to 255 visible ASCII characters; kept as long as the task.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyKey,
        request: &Request,
        body: FormObject<CreateGeneration>,
    ) -> Result<Response<Json<Box<Created>>>, ApiError> {
        let route = Route { model: Some(&app.config.videos_default_model), wish: None };
        let folded = gateway::fold(body.fields, &app.video.catalog, route);
        let folded = Folded { files: body.files, ..folded };
        let mut taken = accept(&app, &caller, DIALECT, key, request.headers(), folded).await?;
        let warnings = std::mem::take(&mut taken.warnings);
        let location = format!("/v1/video/generations/{}", task_name(taken.view.task.id));
        Ok(taken.answer(Box::new(created(&taken.view, warnings)), &location))
    }

    /// Get a video generation task
    ///
    /// Poll it every 2 seconds until `status` is `completed` or `failed`. The id may be in any dialect's spelling. Somebody
    /// else's task is not found.
    ///
    /// Scope: `videos:read`.
    #[oai(path = "/v1/video/generations/:id", method = "get", operation_id = "getGeneration")]
    async fn get(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosRead>,
        /// The task's id.
        id: Path<String>,
    ) -> Result<Response<Json<Box<Generation>>>, ApiError> {
        let id = id.parse().map_err(|_| ApiError::TaskNotFound)?;
        let view = app.video.task(caller.account, id).await?.ok_or(ApiError::TaskNotFound)?;
        Ok(polled(&view, Box::new(generation(&app, &view))))
    }
}
