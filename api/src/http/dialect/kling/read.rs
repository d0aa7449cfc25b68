//! `GET /kling/v1/videos/{kind}/{id}`.

use std::sync::Arc;

use entity::AccountId;
use poem::Request;
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use poem_openapi::payload::{Json, Response};

use super::super::record::polled;
use super::external;
use super::kind::Kind;
use super::view::{KlingAnswer, answer};
use crate::app::App;
use crate::http::Tag;
use crate::http::auth::{Caller, VideosRead};
use crate::http::error::ApiError;
use crate::http::query::OneOf;
use crate::http::request_id;
use crate::video::read::TaskView;

pub struct Read;

#[OpenApi(tag = "Tag::Gateways")]
impl Read {
    /// Read a Kling task
    ///
    /// By its id, in any dialect's spelling, or by its `external_task_id`. Poll it every 2 seconds until `task_status` is
    /// `succeed` or `failed`. Reads the tasks of every kind and dialect; somebody else's is not found.
    ///
    /// Scope: `videos:read`.
    #[oai(path = "/kling/v1/videos/:kind/:id", method = "get", operation_id = "getKlingTask")]
    async fn one(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosRead>,
        /// What kind of video; any will do.
        #[oai(name = "kind")]
        _kind: Path<OneOf<Kind>>,
        /// The task's id or external id.
        id: Path<String>,
        request: &Request,
    ) -> Result<Response<Json<Box<KlingAnswer>>>, ApiError> {
        let view = find(&app, caller.account, &id).await?.ok_or(ApiError::TaskNotFound)?;
        Ok(polled(&view, Box::new(answer(&app, &view, request_id::noted(request)))))
    }
}

/// A task by its id, or else by its name: a name may look like an id.
async fn find(app: &App, account: AccountId, text: &str) -> Result<Option<Arc<TaskView>>, ApiError> {
    if let Ok(id) = text.parse()
        && let Some(view) = app.video.task(account, id).await?
    {
        return Ok(Some(view));
    }
    external::find(app, account, text).await
}
