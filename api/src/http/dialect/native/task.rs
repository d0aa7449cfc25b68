//! `GET` and `DELETE /api/ai/tasks/{id}`, and `POST /api/ai/tasks/{id}/cancel`.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::rendering::{Rendering, Renderings, links_end_at};
use super::task_id;
use super::view::{TaskBody, task_body, task_etag};
use crate::app::App;
use crate::http::Tag;
use crate::http::auth::{Caller, VideosRead, VideosWrite};
use crate::http::error::ApiError;
use crate::http::etag::IfNoneMatch;
use crate::http::live::wait::find;
use crate::http::live::{Prefer, Waiter};
use crate::http::rendered::Rendered;
use crate::video::read::TaskView;
use crate::video::state::State;

/// Seconds after which to look again at a task that has not ended.
const POLL_SECONDS: u32 = 2;
/// A task may be kept by its owner's own cache, which asks each time whether it changed.
const CACHE: &str = "private, no-cache";

#[derive(Debug, Default)]
pub struct Task {
    renderings: Renderings,
}

#[derive(ApiResponse)]
enum TaskAnswer {
    /// The task as it is now.
    #[oai(status = 200)]
    Task(
        Rendered<TaskBody>,
        /// Names this state of the task.
        #[oai(header = "ETag")]
        String,
        #[oai(header = "Cache-Control")] String,
        /// Seconds; absent when the task has ended.
        #[oai(header = "Retry-After")]
        Option<u32>,
        /// The wait that was applied.
        #[oai(header = "Preference-Applied")]
        Option<String>,
    ),
    /// You have the task as it is now.
    #[oai(status = 304)]
    Unchanged(
        /// Names this state of the task.
        #[oai(header = "ETag")]
        String,
        #[oai(header = "Cache-Control")] String,
        /// Seconds; absent when the task has ended.
        #[oai(header = "Retry-After")]
        Option<u32>,
        /// The wait that was applied.
        #[oai(header = "Preference-Applied")]
        Option<String>,
    ),
}

#[derive(ApiResponse)]
enum CancelAnswer {
    /// The task has ended: by this cancellation, or before it.
    #[oai(status = 200)]
    Ended(
        Json<Box<EndedTask>>,
        /// The wait that was applied.
        #[oai(header = "Preference-Applied")]
        Option<String>,
    ),
    /// The wish is noted, but the work has begun.
    #[oai(status = 202)]
    Requested(
        Json<CancelRequested>,
        /// Seconds.
        #[oai(header = "Retry-After")]
        u32,
        /// The wait that was applied.
        #[oai(header = "Preference-Applied")]
        Option<String>,
    ),
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

#[derive(ApiResponse)]
enum DeleteAnswer {
    /// The task is deleted.
    #[oai(status = 204)]
    Deleted,
}

#[OpenApi(tag = "Tag::Videos")]
impl Task {
    /// Read a task
    ///
    /// Poll it every 2 seconds while `status` is 0; `Retry-After` says so too. The id may be in any dialect's spelling.
    /// Somebody else's task is not found.
    ///
    /// With `Prefer: wait=20` the answer comes when the task has ended, or after 20 seconds (at most 60) with the task as it
    /// is then. `ETag` names the state of the task: sent back as `If-None-Match` it gets 304 while nothing changed, and
    /// together with `wait` the answer comes as soon as something did.
    ///
    /// Scope: `videos:read`.
    #[oai(path = "/api/ai/tasks/:id", method = "get", operation_id = "getTask")]
    async fn task(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosRead>,
        /// The task's id.
        id: Path<String>,
        /// `wait=N`: answer when the task has ended or changed, within so many seconds.
        #[oai(name = "Prefer")]
        prefer: Prefer,
        /// States of the task that you have.
        #[oai(name = "If-None-Match")]
        seen: IfNoneMatch,
    ) -> Result<TaskAnswer, ApiError> {
        let (account, id) = (caller.account, task_id(&id)?);
        let waiter = |wait| Waiter::new(&app, account, wait).ok_or(ApiError::TooManyStreams);
        let waiter = prefer.wait.map(waiter).transpose()?;
        let applied = waiter.as_ref().map(Waiter::applied);
        let has_news =
            |view: &TaskView| view.state.is_terminal() || (seen.is_given() && !seen.has(&task_etag(view)));
        let view = match waiter {
            Some(waiter) => waiter.task(&app, account, id, has_news).await?,
            None => find(&app, account, id).await?,
        };
        Ok(answer(&self.renderings.of(&app, &view), view.state, &seen, applied))
    }

    /// Cancel a task
    ///
    /// A task that nobody works on yet is canceled at once and costs nothing (200). Otherwise the wish is noted (202): the
    /// task may still complete, and is charged then. A task that has ended stays as it is (200, `canceled` says how).
    ///
    /// With `Prefer: wait=20` the answer to a wish comes when the task has ended (200), or after 20 seconds (at most 60).
    /// `Preference-Applied` says so; it is absent when too many of the account wait already.
    ///
    /// Scope: `videos:write`.
    #[oai(path = "/api/ai/tasks/:id/cancel", method = "post", operation_id = "cancelTask")]
    async fn cancel(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosWrite>,
        /// The task's id.
        id: Path<String>,
        /// `wait=N`: answer when the task has ended, within so many seconds.
        #[oai(name = "Prefer")]
        prefer: Prefer,
    ) -> Result<CancelAnswer, ApiError> {
        let (account, id) = (caller.account, task_id(&id)?);
        let waiter = prefer.wait.and_then(|wait| Waiter::new(&app, account, wait));
        let applied = waiter.as_ref().map(Waiter::applied);
        app.video.cancel(account, id).await?;
        let view = match waiter {
            Some(waiter) => waiter.task(&app, account, id, |view| view.state.is_terminal()).await?,
            None => find(&app, account, id).await?,
        };
        Ok(if view.state.is_terminal() { ended(&app, &view, applied) } else { requested(&view, applied) })
    }

    /// Delete a task
    ///
    /// Removes what the task was about, for good: prompt, media, metadata, clips, and what was told about it. Webhooks that
    /// are still owed are not sent any more. The books stay: its transfers are in `GET /api/ai/credits/ledger` and it counts
    /// in `GET /api/usage`. Afterwards it is not found, its links stop working, and its `Idempotency-Key` answers 410
    /// `task_deleted`.
    ///
    /// Only a task that has ended can be deleted; any other is refused with 409 `task_not_ended`.
    ///
    /// Scope: `videos:write`.
    #[oai(path = "/api/ai/tasks/:id", method = "delete", operation_id = "deleteTask")]
    async fn delete(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosWrite>,
        /// The task's id.
        id: Path<String>,
    ) -> Result<DeleteAnswer, ApiError> {
        let objects = app.video.delete(caller.account, task_id(&id)?).await?;
        app.store.delete_all(objects).await;
        Ok(DeleteAnswer::Deleted)
    }
}

fn answer(rendering: &Rendering, state: State, seen: &IfNoneMatch, applied: Option<String>) -> TaskAnswer {
    let Rendering { etag, body, .. } = rendering;
    let cache = CACHE.to_owned();
    let retry_after = (!state.is_terminal()).then_some(POLL_SECONDS);
    if seen.has(etag) {
        return TaskAnswer::Unchanged(etag.header(), cache, retry_after, applied);
    }
    TaskAnswer::Task(body.clone(), etag.header(), cache, retry_after, applied)
}

fn ended(app: &App, view: &TaskView, applied: Option<String>) -> CancelAnswer {
    let canceled = view.state == State::Canceled;
    let task = task_body(app, view, links_end_at(app.clock.now()));
    CancelAnswer::Ended(Json(Box::new(EndedTask { canceled, task })), applied)
}

fn requested(view: &TaskView, applied: Option<String>) -> CancelAnswer {
    let answer = CancelRequested {
        task_id: view.task.id.to_string(),
        state: view.state.as_str().to_owned(),
        cancel_requested: true,
        message: "The work has begun: the task may still complete, and is charged then".to_owned(),
    };
    CancelAnswer::Requested(Json(answer), POLL_SECONDS, applied)
}
