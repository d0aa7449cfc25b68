//! `GET` and `HEAD /v1/videos/{id}/content`: the clip itself.

use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};

use super::super::native::{ClipIndex, ClipKinds, Viewer, first_clip, task_id, the_video};
use crate::app::App;
use crate::http::Tag;
use crate::http::error::ApiError;
use crate::http::file::FileAnswer;
use crate::http::query::OneOf;
use crate::media::Variant;

pub struct Content;

#[OpenApi(tag = "Tag::OpenAi")]
impl Content {
    /// Fetch a video's clip
    ///
    /// The MP4 of a completed video, or a picture of it: `variant` is `video`, `thumbnail` or `spritesheet` (WebP). Takes a single `Range` with `If-Range`, and `If-None-Match`; `ETag` is strong.
    ///
    /// Until the video has ended this is 404 `not_ready` with `Retry-After`; a clip that failed is 404 `no_clip`.
    ///
    /// Scope: `videos:read`.
    #[oai(path = "/v1/videos/:id/content", method = "get", operation_id = "downloadVideo")]
    async fn content(
        &self,
        app: Data<&Arc<App>>,
        viewer: Viewer,
        /// The video's id.
        id: Path<String>,
        /// Which clip, counted from 0.
        #[oai(default = "first_clip")]
        index: Query<ClipIndex>,
        /// The clip, or a picture of it.
        #[oai(default = "the_video")]
        variant: Query<OneOf<Variant>>,
        request: &Request,
    ) -> Result<FileAnswer<ClipKinds>, ApiError> {
        viewer.fetch(&app, task_id(&id)?, (index.0.0, variant.0.0), request.headers()).await
    }

    /// Look at the headers of a video's clip
    ///
    /// As `GET`, without the clip.
    ///
    /// Scope: `videos:read`.
    #[oai(path = "/v1/videos/:id/content", method = "head", operation_id = "headVideo")]
    async fn headers(
        &self,
        app: Data<&Arc<App>>,
        viewer: Viewer,
        /// The video's id.
        id: Path<String>,
        /// Which clip, counted from 0.
        #[oai(default = "first_clip")]
        index: Query<ClipIndex>,
        /// The clip, or a picture of it.
        #[oai(default = "the_video")]
        variant: Query<OneOf<Variant>>,
        request: &Request,
    ) -> Result<FileAnswer<ClipKinds>, ApiError> {
        viewer.look(&app, task_id(&id)?, (index.0.0, variant.0.0), request.headers()).await
    }
}
