//! Videos from videos: remix, edit, extend. A source of the caller's own gives its model, its size and its sound; the price is
//! that of any video of that model and length.

use std::sync::Arc;

use entity::AccountId;
use poem::Request;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::{Json, Response};
use poem_openapi::{Object, OpenApi};
use serde_json::Value;

use super::super::accept::accept;
use super::super::gateway::{self, Folded, Route, Wish, addresses};
use super::super::native::task_id;
use super::DIALECT;
use super::videos::created;
use super::view::{Video, video_id};
use crate::app::App;
use crate::http::Tag;
use crate::http::auth::{Caller, VideosWrite};
use crate::http::body::{Fields, FormObject};
use crate::http::error::ApiError;
use crate::http::idempotency::IdempotencyKey;
use crate::video::read::TaskView;
use crate::video::state::State;

pub struct Derive;

/// How to change a video.
#[derive(Debug, Object)]
pub struct RemixVideo {
    /// What to change.
    prompt: String,
}

/// Which video to change, and how.
#[derive(Debug, Object)]
pub struct EditVideo {
    /// The video: a file, `{"id": "video_…"}` for one of yours, a URL, or the id of an upload.
    video: Value,
    /// What to change.
    prompt: String,
    /// The model; that of the video when it is one of yours.
    model: Option<String>,
}

/// Which video to go on with, and how.
#[derive(Debug, Object)]
pub struct ExtendVideo {
    /// The video: a file, `{"id": "video_…"}` for one of yours, a URL, or the id of an upload.
    video: Value,
    /// What happens next.
    prompt: String,
    /// Seconds to add, as text or a number.
    seconds: String,
    /// The model; that of the video when it is one of yours.
    model: Option<String>,
}

#[OpenApi(tag = "Tag::OpenAi")]
impl Derive {
    /// Remix a video
    ///
    /// Makes a new video of a completed one of yours, with the same model, length and size.
    ///
    /// Scope: `videos:write`.
    #[oai(path = "/v1/videos/:id/remix", method = "post", operation_id = "remixVideo")]
    async fn remix(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosWrite>,
        /// The id of the video to remix.
        id: Path<String>,
        /// A name for this request, 1 to 255 visible ASCII characters; kept as long as the video.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyKey,
        request: &Request,
        body: FormObject<RemixVideo>,
    ) -> Result<Response<Json<Box<Video>>>, ApiError> {
        let id = task_id(&id)?;
        let source = app.video.task(caller.account, id).await?.ok_or(ApiError::TaskNotFound)?;
        let mut fields = body.fields;
        // The path says which, whatever the body does.
        fields.value("video");
        fields.lay("video", &Value::from(video_id(id)));
        let folded = derived(&app, fields, Wish::Edit, Some(&source));
        let taken = accept(&app, &caller, DIALECT, key, request.headers(), folded).await?;
        Ok(created(&app, taken))
    }

    /// Edit a video
    ///
    /// Makes a new video of one of yours, of an upload, or of a file that is sent with it.
    ///
    /// Scope: `videos:write`.
    #[oai(path = "/v1/videos/edits", method = "post", operation_id = "editVideo")]
    async fn edit(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosWrite>,
        /// A name for this request, 1 to 255 visible ASCII characters; kept as long as the video.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyKey,
        request: &Request,
        body: FormObject<EditVideo>,
    ) -> Result<Response<Json<Box<Video>>>, ApiError> {
        let source = source(&app, caller.account, &body.fields).await?;
        let folded = derived(&app, body.fields, Wish::Edit, source.as_deref());
        let folded = Folded { files: body.files, ..folded };
        let taken = accept(&app, &caller, DIALECT, key, request.headers(), folded).await?;
        Ok(created(&app, taken))
    }

    /// Extend a video
    ///
    /// Makes a video that goes on where another one ends.
    ///
    /// Scope: `videos:write`.
    #[oai(path = "/v1/videos/extensions", method = "post", operation_id = "extendVideo")]
    async fn extend(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosWrite>,
        /// A name for this request, 1 to 255 visible ASCII characters; kept as long as the video.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyKey,
        request: &Request,
        body: FormObject<ExtendVideo>,
    ) -> Result<Response<Json<Box<Video>>>, ApiError> {
        let mut fields = body.fields;
        fields.require_any(&["seconds", "duration"]);
        let source = source(&app, caller.account, &fields).await?;
        let folded = derived(&app, fields, Wish::Extend, source.as_deref());
        let folded = Folded { files: body.files, ..folded };
        let taken = accept(&app, &caller, DIALECT, key, request.headers(), folded).await?;
        Ok(created(&app, taken))
    }
}

/// The caller's own task that the body names as its video, if it is one.
pub async fn source(
    app: &App,
    account: AccountId,
    fields: &Fields,
) -> Result<Option<Arc<TaskView>>, ApiError> {
    let named = ["video", "video_id"].iter().find_map(|name| fields.peek(name));
    let address = named.and_then(addresses).and_then(|found| found.into_iter().next());
    let Some(id) = address.and_then(|text| text.parse().ok()) else { return Ok(None) };
    Ok(Some(app.video.task(account, id).await?.ok_or(ApiError::TaskNotFound)?))
}

/// The body as an order of the source's kind: its model, size and sound unless the body says otherwise.
pub fn derived(app: &App, fields: Fields, wish: Wish, source: Option<&TaskView>) -> Folded {
    let model = source.map_or(&app.config.videos_default_model, |source| &source.task.model);
    let route = Route { model: Some(model), wish: Some(wish) };
    let mut folded = gateway::fold(fields, &app.video.catalog, route);
    let Some(source) = source else { return folded };
    if source.state != State::Completed {
        folded.errors.push("video", "Must be a completed video");
    }
    let (request, effective) = (&mut folded.request, &source.terms.effective);
    if request.model == source.task.model {
        request.resolution.get_or_insert_with(|| effective.resolution.to_string());
        request.aspect_ratio.get_or_insert_with(|| effective.aspect_ratio.to_string());
        request.duration_s.get_or_insert(effective.duration_s);
        request.generate_audio.get_or_insert(effective.audio);
    }
    folded
}
