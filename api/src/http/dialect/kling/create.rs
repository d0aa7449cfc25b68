//! `POST /kling/v1/videos/{kind}`.

use std::collections::BTreeMap;
use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::{Json, Response};
use poem_openapi::{Object, OpenApi};
use serde_json::Value;

use super::super::record::task_name;
use super::external::accept_once;
use super::fold::fold;
use super::kind::Kind;
use super::view::{KlingAnswer, answer};
use crate::app::App;
use crate::http::Tag;
use crate::http::auth::{Caller, VideosWrite};
use crate::http::body::JsonObject;
use crate::http::error::ApiError;
use crate::http::idempotency::IdempotencyKey;
use crate::http::query::{OneOf, Word};
use crate::http::request_id;

pub struct Create;

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
impl Create {
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
