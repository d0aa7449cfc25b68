//! `GET` and `DELETE /v1/videos/{id}`.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::{Json, Response};
use poem_openapi::{Object, OpenApi};

use super::super::native::task_id;
use super::super::record::polled;
use super::view::{Video, video, video_id};
use crate::app::App;
use crate::http::Tag;
use crate::http::auth::{Caller, VideosRead, VideosWrite};
use crate::http::error::ApiError;

pub struct Item;

/// A video that is deleted.
#[derive(Debug, Object)]
struct DeletedVideo {
    id: String,
    /// Always `video.deleted`.
    object: String,
    /// Always true.
    deleted: bool,
}

#[OpenApi(tag = "Tag::OpenAi")]
impl Item {
    /// Read a video
    ///
    /// Poll it every 2 seconds until `status` is `completed` or `failed`. The id may be in any dialect's spelling. Somebody
    /// else's video is not found.
    ///
    /// Scope: `videos:read`.
    #[oai(path = "/v1/videos/:id", method = "get", operation_id = "retrieveVideo")]
    async fn retrieve(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosRead>,
        /// The video's id.
        id: Path<String>,
    ) -> Result<Response<Json<Box<Video>>>, ApiError> {
        let view = app.video.task(caller.account, task_id(&id)?).await?.ok_or(ApiError::TaskNotFound)?;
        Ok(polled(&view, Box::new(video(&app, &view))))
    }

    /// Delete a video
    ///
    /// Its clips, prompt and inputs are deleted for good; what was charged stays in the ledger. Not while it is being made.
    ///
    /// Scope: `videos:write`.
    #[oai(path = "/v1/videos/:id", method = "delete", operation_id = "deleteVideo")]
    async fn delete(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosWrite>,
        /// The video's id.
        id: Path<String>,
    ) -> Result<Json<DeletedVideo>, ApiError> {
        let id = task_id(&id)?;
        app.video.delete(caller.account, id).await?;
        Ok(Json(DeletedVideo { id: video_id(id), object: "video.deleted".into(), deleted: true }))
    }
}
