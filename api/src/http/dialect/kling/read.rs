//! `GET /kling/v1/videos/{kind}` and `GET /kling/v1/videos/{kind}/{id}`.

use std::sync::Arc;

use entity::AccountId;
use poem::Request;
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::{Json, Response};

use super::super::record::polled;
use super::external;
use super::kind::Kind;
use super::view::{KlingAnswer, KlingPage, answer, page};
use crate::app::App;
use crate::http::Tag;
use crate::http::auth::{Caller, VideosRead};
use crate::http::error::ApiError;
use crate::http::query::OneOf;
use crate::http::request_id;
use crate::http::value::Bounded;
use crate::video::list::{Direction, Filter};
use crate::video::read::TaskView;

pub struct Read;

/// As far as Kling's own pages go.
type PageNumber = Bounded<1, 1000>;
type PageSize = Bounded<1, 500>;

fn first() -> PageNumber {
    Bounded(1)
}

fn thirty() -> PageSize {
    Bounded(30)
}

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

    /// List Kling tasks
    ///
    /// What was made on this path, newest first, page by page. Tasks that arrive meanwhile move the others on.
    ///
    /// Scope: `videos:read`.
    #[oai(path = "/kling/v1/videos/:kind", method = "get", operation_id = "listKlingTasks")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the request")]
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
