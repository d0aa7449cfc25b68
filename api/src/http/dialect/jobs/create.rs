//! `POST /api/v1/jobs/createTask`.

use std::collections::BTreeMap;
use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::payload::{Json, Response};
use poem_openapi::{Object, OpenApi};
use serde_json::Value;

use super::super::accept::accept;
use super::super::record::task_name;
use super::DIALECT;
use super::fold::fold;
use super::view::Answer;
use crate::app::App;
use crate::http::Tag;
use crate::http::auth::{Caller, VideosWrite};
use crate::http::body::JsonObject;
use crate::http::error::ApiError;
use crate::http::idempotency::IdempotencyKey;

pub struct Create;

// Only describes the body: `fold` reads it, under all the names that docs/DIALECTS.md lists.
/// What to make. Unknown fields beside `input` are ignored and named in `warnings`.
#[derive(Debug, Object)]
#[oai(rename = "CreateJob", rename_all = "camelCase")]
pub struct CreateJob {
    /// Id or alias of a model.
    model: String,
    /// What the model is given: `prompt`, `duration`, `aspect_ratio`, `resolution`, `image_urls`, `video_urls` and the model's
    /// other keys, under the model's own names.
    input: Option<BTreeMap<String, Value>>,
    /// Where to tell that the task has ended; https.
    call_back_url: Option<String>,
    /// `video`.
    capability: Option<String>,
}

/// A task that is paid for and queued.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct CreatedJob {
    /// `task_` and 26 characters. Poll `GET /api/v1/jobs/recordInfo`.
    task_id: String,
    /// As `taskId`.
    record_id: String,
    /// What was accepted but has no effect.
    warnings: Vec<String>,
}

#[OpenApi(tag = "Tag::Jobs")]
impl Create {
    /// Create a task
    ///
    /// Holds what the video costs, queues it and answers at once.
    ///
    /// Sent again with the same `Idempotency-Key` it gives the same task and charges nothing.
    ///
    /// Scope: `videos:write`.
    #[oai(path = "/api/v1/jobs/createTask", method = "post", operation_id = "createJob")]
    async fn create(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosWrite>,
        /// A name for this request, 1 to 255 visible ASCII characters; kept as long as the task.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyKey,
        request: &Request,
        body: JsonObject<CreateJob>,
    ) -> Result<Response<Json<Answer<CreatedJob>>>, ApiError> {
        let folded = fold(body.fields, &app.video.catalog);
        let taken = accept(&app, &caller, DIALECT, key, request.headers(), folded).await?;
        let id = task_name(taken.view.task.id);
        let location = format!("/api/v1/jobs/recordInfo?taskId={id}");
        let created = CreatedJob { task_id: id.clone(), record_id: id, warnings: taken.warnings.clone() };
        Ok(taken.answer(Answer::of(created), &location))
    }
}
