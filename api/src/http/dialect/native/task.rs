//! `GET /api/ai/tasks/{id}` and `POST /api/ai/tasks/{id}/cancel`.

use std::sync::Arc;

use entity::{AccountId, TaskId};
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::{Json, Response};
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::task_id;
use super::view::{TaskBody, task_body};
use crate::app::App;
use crate::http::Tag;
use crate::http::auth::{Caller, VideosRead, VideosWrite};
use crate::http::error::ApiError;
use crate::ledger::Done;
use crate::video::read::TaskView;
use crate::video::state::State;

/// Seconds after which to look again at a task that has not ended.
const POLL_SECONDS: u32 = 2;

pub struct Task;

#[derive(ApiResponse)]
enum CancelAnswer {
    /// The task has ended: by this cancellation, or before it.
    #[oai(status = 200)]
    Ended(Json<Box<EndedTask>>),
    /// The wish is noted, but the work has begun.
    #[oai(status = 202)]
    Requested(Json<CancelRequested>, #[oai(header = "Retry-After")] u32),
}

/// A task that has ended.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct EndedTask {
    /// Whether it ended by cancellation.
    canceled: bool,
    #[oai(flatten)]
    task: TaskBody,
}

/// A cancellation that may come too late.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct CancelRequested {
    task_id: String,
    state: String,
    /// Always true.
    cancel_requested: bool,
    message: String,
}

#[OpenApi(tag = "Tag::Videos")]
impl Task {
    /// Read a task
    ///
    /// Poll it every 2 seconds while `status` is 0; `Retry-After` says so too. The id may be in any dialect's spelling.
    /// Somebody else's task is not found.
    ///
    /// Scope: `videos:read`.
    #[oai(path = "/api/ai/tasks/:id", method = "get", operation_id = "getTask")]
    async fn task(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosRead>,
        /// The task's id.
        id: Path<String>,
    ) -> Result<Response<Json<TaskBody>>, ApiError> {
        let view = find(&app, caller.account, task_id(&id)?).await?;
        let ended = view.state.is_terminal();
        let response = Response::new(Json(task_body(&app, view, app.clock.now())));
        Ok(if ended { response } else { response.header("Retry-After", POLL_SECONDS) })
    }

    /// Cancel a task
    ///
    /// A task that nobody works on yet is canceled at once and costs nothing (200). Otherwise the wish is noted (202): the
    /// task may still complete, and is charged then. A task that has ended stays as it is (200, `canceled` says how).
    ///
    /// Scope: `videos:write`.
    #[oai(path = "/api/ai/tasks/:id/cancel", method = "post", operation_id = "cancelTask")]
    async fn cancel(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosWrite>,
        /// The task's id.
        id: Path<String>,
    ) -> Result<CancelAnswer, ApiError> {
        let id = task_id(&id)?;
        let done = app.video.cancel(caller.account, id).await?;
        let view = find(&app, caller.account, id).await?;
        Ok(match done {
            Done::CancelRequested => requested(&view),
            _ => ended(&app, view),
        })
    }
}

async fn find(app: &App, account: AccountId, id: TaskId) -> Result<TaskView, ApiError> {
    app.video.task(account, id).await?.ok_or(ApiError::TaskNotFound)
}

fn ended(app: &App, view: TaskView) -> CancelAnswer {
    let canceled = view.state == State::Canceled;
    CancelAnswer::Ended(Json(Box::new(EndedTask { canceled, task: task_body(app, view, app.clock.now()) })))
}

fn requested(view: &TaskView) -> CancelAnswer {
    let answer = CancelRequested {
        task_id: view.task.id.to_string(),
        state: view.state.as_str().to_owned(),
        cancel_requested: true,
        message: "The work has begun: the task may still complete, and is charged then".to_owned(),
    };
    CancelAnswer::Requested(Json(answer), POLL_SECONDS)
}
