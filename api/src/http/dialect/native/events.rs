//! `GET /api/ai/tasks/{id}/events` and `GET /api/events`: what happens, as it happens.

use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::{ApiResponse, OpenApi};

use super::task_id;
use crate::app::App;
use crate::http::Tag;
use crate::http::auth::{Caller, VideosRead};
use crate::http::error::ApiError;
use crate::http::live::Feed;
use crate::http::live::feed::{Follow, Telling};
use crate::http::live::place::{EventNumber, number};
use crate::http::live::sse::EventStream;
use crate::http::live::wait::find;

pub struct Events;

#[derive(ApiResponse)]
enum TaskEvents {
    /// The task's events, until the one that ends it.
    #[oai(status = 200)]
    Stream(EventStream),
    /// The task has ended and you have all of its events: don't come back.
    #[oai(status = 204)]
    Over,
}

#[derive(ApiResponse)]
enum AccountEvents {
    /// The account's events, as they happen.
    #[oai(status = 200)]
    Stream(EventStream),
}

#[OpenApi(tag = "Tag::Videos")]
impl Events {
    /// Follow a task
    ///
    /// Server-Sent Events: what has happened to the task since it was accepted, then what happens, until the event that ends
    /// it (`video.completed`, `video.failed`, `video.canceled` or `video.expired`), after which the stream is closed. The
    /// data of an event says briefly what happened. In between, `video.progress` says how far the task is; it has no id, since
    /// it is never sent again.
    ///
    /// A client that was cut off comes back with the last `id` as `Last-Event-ID` and goes on there, without a gap or a
    /// repetition. Events are kept for 30 days: if what follows the id is forgotten, or the id is none of yours, a `gap`
    /// event says so and the stream goes on with the oldest event there is. A comment is sent every 15 seconds. An account
    /// has at most 100 streams and waits at once.
    ///
    /// Scope: `videos:read`.
    #[oai(path = "/api/ai/tasks/:id/events", method = "get", operation_id = "getTaskEvents")]
    async fn task(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosRead>,
        /// The task's id.
        id: Path<String>,
        /// The `id` of the last event that you have; without it the stream begins with the task.
        #[oai(name = "Last-Event-ID")]
        last: Header<Option<EventNumber>>,
        /// As `Last-Event-ID`, which wins, for clients that can't set headers.
        #[oai(name = "lastEventId")]
        last_event_id: Query<Option<EventNumber>>,
        request: &Request,
    ) -> Result<TaskEvents, ApiError> {
        let id = task_id(&id)?;
        let has_ended = find(&app, caller.account, id).await?.state.is_terminal();
        let after = number(&last, &last_event_id);
        let feed = Feed::open(
            &app,
            request,
            Follow { account: caller.account, task: Some(id), after, telling: Telling::Events },
        )
        .await?;
        // Browsers come back to a stream that was closed, unless there is none.
        if has_ended && feed.is_empty().await? {
            return Ok(TaskEvents::Over);
        }
        Ok(TaskEvents::Stream(feed.stream()))
    }

    /// Follow the account
    ///
    /// Server-Sent Events: what happens to all of the account's tasks and to its credits, from now on, or after the event
    /// named by `Last-Event-ID`; as with one task otherwise. `video.progress` is sent for the 100 newest tasks. The stream
    /// ends when the key or session that opened it does.
    ///
    /// Scope: `videos:read`; events of credits (`credits.…`) need `billing:read` too and are left out without it.
    #[oai(path = "/api/events", method = "get", operation_id = "getEvents")]
    async fn account(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<VideosRead>,
        /// The `id` of the last event that you have; without it the stream begins now.
        #[oai(name = "Last-Event-ID")]
        last: Header<Option<EventNumber>>,
        /// As `Last-Event-ID`, which wins, for clients that can't set headers.
        #[oai(name = "lastEventId")]
        last_event_id: Query<Option<EventNumber>>,
        request: &Request,
    ) -> Result<AccountEvents, ApiError> {
        let after = number(&last, &last_event_id);
        let follow = Follow { account: caller.account, task: None, after, telling: Telling::Events };
        Ok(AccountEvents::Stream(Feed::open(&app, request, follow).await?.stream()))
    }
}
