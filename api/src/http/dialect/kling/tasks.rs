//! `GET` and `POST /kling/v1/videos/{kind}`.

use std::collections::BTreeMap;
use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::{Json, Response};
use poem_openapi::{Object, OpenApi};
use serde_json::Value;

use super::super::record::task_name;
use super::external::accept_once;
use super::fold::fold;
use super::kind::Kind;
use super::view::{KlingAnswer, KlingPage, answer, page};
use crate::app::App;
use crate::http::Tag;
use crate::http::auth::{Caller, VideosRead, VideosWrite};
use crate::http::body::JsonObject;
use crate::http::error::ApiError;
use crate::http::idempotency::IdempotencyKey;
use crate::http::query::{OneOf, Word};
use crate::http::request_id;
use crate::http::value::Bounded;
use crate::video::list::{Direction, Filter};

pub struct Tasks;

/// As far as Kling's own pages go.
type PageNumber = Bounded<1, 1000>;
type PageSize = Bounded<1, 500>;

fn first() -> PageNumber {
    Bounded(1)
}

fn thirty() -> PageSize {
    Bounded(30)
}

// Only describes the body: `gateway::fold` reads it, under all the names that docs/DIALECTS.md lists.
/// What to make. Takes every field of `POST /v1/video/generations`, too; unknown ones are ignored and named in `warnings`.
#[derive(Debug, Object)]
struct KlingRequest {
    /// The model; also `model`. When left out: `kling-v1`, for `multi-image2video` `kling-v1-6`, for `omni-video`
    /// `kling-video-o1`, for `video-extend` that of the video.
    model_name: Option<String>,
    /// What to show.
    prompt: Option<String>,
    /// What not to show.
    negative_prompt: Option<String>,
    /// How closely to follow the prompt, from 0 to 1.
    cfg_scale: Option<f64>,
    /// `std` (720p), `pro` (1080p) or `4k`.
    mode: Option<String>,
    /// Seconds, as text or a number.
    duration: Option<String>,
    /// Such as `16:9`.
    aspect_ratio: Option<String>,
    /// `on` or `off`.
    sound: Option<String>,
    /// The image to begin with: a URL or base64.
    image: Option<String>,
    /// The image to end with.
    image_tail: Option<String>,
    /// `{"image": …}` for `multi-image2video`. `{"image_url": …, "type": …}` for `omni-video`, where the type `first_frame` or
    /// `end_frame` makes it a frame.
    image_list: Option<Vec<Value>>,
    /// For `omni-video`: `{"video_url": …, "refer_type": …, "keep_original_sound": …}`. `base` is edited, `feature` is taken
    /// after.
    video_list: Option<Vec<Value>>,
    /// Up to three `{"element_id": …}`.
    element_list: Option<Vec<Value>>,
    /// For `video-extend`: the video to go on with, by the id that `task_result.videos` has of it.
    video_id: Option<String>,
    /// How the camera moves.
    camera_control: Option<BTreeMap<String, Value>>,
    /// Whether it may have several shots; then `shot_type` and `multi_prompt` say which.
    multi_shot: Option<bool>,
    shot_type: Option<String>,
    multi_prompt: Option<Vec<Value>>,
    /// `{"enabled": true}`.
    watermark_info: Option<BTreeMap<String, Value>>,
    /// Where to tell that the task has ended; https.
    callback_url: Option<String>,
    /// Your own name for the task, in place of its id. Each can be used once.
    external_task_id: Option<String>,
}

#[OpenApi(tag = "Tag::Gateways")]
impl Tasks {
    /// List Kling tasks
    ///
    /// What was made on this path, newest first, page by page. Tasks that arrive meanwhile move the others on.
    ///
    /// Scope: `videos:read`.
    #[oai(path = "/kling/v1/videos/:kind", method = "get", operation_id = "listKlingTasks")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosRead>,
        /// What kind of video.
        kind: Path<OneOf<Kind>>,
        /// Counted from 1.
        #[oai(name = "pageNum", default = "first")]
        number: Query<PageNumber>,
        /// Tasks on a page.
        #[oai(name = "pageSize", default = "thirty")]
        size: Query<PageSize>,
        request: &Request,
    ) -> Result<Json<KlingPage>, ApiError> {
        let filter = Filter { dialect: Some(kind.0.0.dialect()), ..Filter::default() };
        let (number, size) = (number.0.0, size.0.0);
        let before = u64::from(number - 1) * u64::from(size);
        let after = match before {
            0 => None,
            before => match app.video.nth(caller.account, &filter, before).await? {
                None => return Ok(Json(page(&app, &[], request_id::noted(request)))),
                last => last,
            },
        };
        let tasks =
            app.video.tasks(caller.account, &filter, after, (size as usize, Direction::Desc)).await?.tasks;
        Ok(Json(page(&app, &tasks, request_id::noted(request))))
    }

    /// Create a Kling task
    ///
    /// Holds what the video costs, queues it and answers at once. The path says what it is made from.
    ///
    /// Sent again with the same `Idempotency-Key` it gives the same task and charges nothing.
    ///
    /// Scope: `videos:write`.
    #[oai(path = "/kling/v1/videos/:kind", method = "post", operation_id = "createKlingTask")]
    async fn create(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosWrite>,
        /// What kind of video.
        kind: Path<OneOf<Kind>>,
        /// A name for this request, 1 to 255 visible ASCII characters; kept as long as the task.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyKey,
        request: &Request,
        body: JsonObject<KlingRequest>,
    ) -> Result<Response<Json<Box<KlingAnswer>>>, ApiError> {
        let kind = kind.0.0;
        let folded = fold(&app, caller.account, kind, body.fields).await?;
        let mut taken = accept_once(&app, &caller, kind.dialect(), key, request.headers(), folded).await?;
        let mut answer = answer(&app, &taken.view, request_id::noted(request));
        answer.warn(std::mem::take(&mut taken.warnings));
        let location = format!("/kling/v1/videos/{}/{}", kind.as_str(), task_name(taken.view.task.id));
        Ok(taken.answer(Box::new(answer), &location))
    }
}
