//! `POST` and `GET /v1/videos`.

use std::collections::BTreeMap;
use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::{Json, Response};
use poem_openapi::{Object, OpenApi};
use serde_json::Value;

use super::super::accept::{Taken, accept};
use super::super::gateway::{self, Route};
use super::DIALECT;
use super::list::{PageLimit, VideoList, newest_first, page, twenty};
use super::view::{Video, video};
use crate::app::App;
use crate::http::Tag;
use crate::http::auth::{Caller, VideosRead, VideosWrite};
use crate::http::body::FormObject;
use crate::http::error::ApiError;
use crate::http::idempotency::IdempotencyKey;
use crate::http::query::OneOf;
use crate::video::list::Direction;
use crate::video::request::GenerateRequest;

pub struct Videos;

// Only describes the body: `gateway::fold` reads it, under all the names that docs/DIALECTS.md lists.
/// What to make. Unknown fields are ignored and named in `warnings`.
#[derive(Debug, Object)]
#[oai(rename = "CreateVideo")]
pub struct CreateVideo {
    /// Id or alias of a model; the setting `videos_default_model` when left out.
    model: Option<String>,
    /// What to show. Most models require it.
    prompt: Option<String>,
    /// Seconds, as text or a number; also `duration`.
    seconds: Option<String>,
    /// Pixels such as `1280x720`, a resolution such as `720p`, or a ratio such as `16:9`.
    size: Option<String>,
    /// The image to begin with, or what `mode` makes of it: a URL, base64, the id of an upload, an object with one of these,
    /// a list, or a file. Also `image`, `image_url`, `image_urls` and `images`.
    input_reference: Option<Value>,
    /// The image to end with; also `end_image_url`, `last_image_url` and `image_tail`.
    last_frame: Option<Value>,
    /// Images of what should appear; also `image_list`.
    reference_images: Option<Value>,
    /// A video to work from: a URL, the id of an upload or of a finished video, or a file. Also `video_url`, `video_urls`,
    /// `videos` and `video_id`.
    video: Option<Value>,
    /// Sounds to go by.
    audio_urls: Option<Value>,
    /// Parts of type `text`, `image_url`, `video_url` and `audio_url`, each with a `role`.
    content: Option<Value>,
    /// `t2v`, `i2v`, `i2v_first_last`, `reference_images`, `reference_material`, `multi_i2v`, `r2v`, `extend` or `edit`; or
    /// `std`, `pro` or `4k`, which are sizes. What the inputs fit when left out.
    mode: Option<String>,
    /// With the model `kling-video`: which one.
    model_name: Option<String>,
    /// Also `ratio`.
    aspect_ratio: Option<String>,
    /// Also `quality`.
    resolution: Option<String>,
    /// Clips to make; each is paid for.
    n: Option<u32>,
    negative_prompt: Option<String>,
    seed: Option<u32>,
    /// Whether the clip gets sound; also `sound`.
    generate_audio: Option<bool>,
    /// Where to tell that the video has ended; https.
    callback_url: Option<String>,
    /// Your own name for it.
    external_task_id: Option<String>,
    /// Your own name for your end user.
    user: Option<String>,
    /// More fields, as if they stood beside it.
    metadata: Option<BTreeMap<String, Value>>,
    /// Keys of a provider's own, allowed model by model.
    extra: Option<BTreeMap<String, Value>>,
}

#[OpenApi(tag = "Tag::OpenAi")]
impl Videos {
    /// Create a video
    ///
    /// Holds what the video costs, queues it and answers at once. Takes JSON or a form, and the fields of OpenAI's API and
    /// of the gateways of its shape under all their usual names.
    ///
    /// Sent again with the same `Idempotency-Key` it gives the same video and charges nothing; what a client library sends
    /// again on its own is known without one.
    ///
    /// Scope: `videos:write`.
    #[oai(path = "/v1/videos", method = "post", operation_id = "createVideo")]
    async fn create(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosWrite>,
        /// A name for this request, 1 to 255 visible ASCII characters; kept as long as the video.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyKey,
        request: &Request,
        body: FormObject<CreateVideo>,
    ) -> Result<Response<Json<Box<Video>>>, ApiError> {
        let route = Route { model: Some(&app.config.videos_default_model), wish: None };
        let mut folded = gateway::fold(body.fields, &app.video.catalog, route);
        folded.files = body.files;
        upright_as_openai_s(&app, &mut folded.request);
        let taken = accept(&app, &caller, DIALECT, key, request.headers(), folded).await?;
        Ok(created(&app, taken))
    }

    /// List videos
    ///
    /// Your videos in this key's mode, however they were ordered. Go on with `last_id` as `after` while `has_more` is true.
    ///
    /// Scope: `videos:read`.
    #[oai(path = "/v1/videos", method = "get", operation_id = "listVideos")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosRead>,
        /// Videos on a page.
        #[oai(default = "twenty")]
        limit: Query<PageLimit>,
        /// `last_id` of the page before.
        after: Query<Option<String>>,
        /// By the time of creation.
        #[oai(default = "newest_first")]
        order: Query<OneOf<Direction>>,
    ) -> Result<Json<VideoList>, ApiError> {
        Ok(Json(page(&app, caller.account, limit.0.0, after.0.as_deref(), order.0.0).await?))
    }
}

/// Sora's pictures stand upright where nothing else is said, as OpenAI's documentation promises.
fn upright_as_openai_s(app: &App, request: &mut GenerateRequest) {
    let is_sora = app.video.catalog.model(&request.model).is_some_and(|model| model.family == "sora");
    if is_sora && request.aspect_ratio.is_none() {
        request.aspect_ratio = Some("9:16".to_owned());
    }
}

/// The answer to a video that was just ordered.
pub fn created(app: &App, taken: Taken) -> Response<Json<Box<Video>>> {
    let mut body = video(app, &taken.view);
    body.warn(taken.warnings.clone());
    let location = format!("/v1/videos/{}", body.id());
    taken.answer(Box::new(body), &location)
}
