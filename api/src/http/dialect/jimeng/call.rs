//! `POST /jimeng/?Action=…&Version=…`.

use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::{Json, Response};
use poem_openapi::{Object, OpenApi};

use super::super::accept::accept;
use super::super::record::{polled, task_name};
use super::DIALECT;
use super::fold::fold;
use super::view::{JimengAnswer, Stamp, result, submitted};
use crate::app::App;
use crate::http::Tag;
use crate::http::auth::{Anyone, Caller, VideosRead, VideosWrite};
use crate::http::body::{Fields, JsonObject};
use crate::http::error::ApiError;
use crate::http::idempotency::IdempotencyKey;
use crate::http::query::{Needed, Word};
use crate::http::request_id;
use crate::video::request::FieldErrors;

pub struct Jimeng;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Action {
    Submit,
    GetResult,
}

impl Word for Action {
    fn all() -> &'static [Action] {
        &[Action::Submit, Action::GetResult]
    }

    fn as_str(self) -> &'static str {
        match self {
            Action::Submit => "CVSync2AsyncSubmitTask",
            Action::GetResult => "CVSync2AsyncGetResult",
        }
    }
}

/// The only version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version;

impl Word for Version {
    fn all() -> &'static [Version] {
        &[Version]
    }

    fn as_str(self) -> &'static str {
        "2022-08-31"
    }
}

// Only describes the body, which is read field by field.
/// What to make, or which task to read. Unknown fields are ignored.
#[derive(Debug, Object)]
struct JimengRequest {
    /// The model. `jimeng_v30` (when left out), `jimeng_v30_1080p` and such stand for the model that makes a video from as many
    /// images as are given.
    req_key: Option<String>,
    /// What to show.
    prompt: Option<String>,
    /// Up to two images, the first and the last frame, as base64.
    binary_data_base64: Option<Vec<String>>,
    /// The same as URLs.
    image_urls: Option<Vec<String>>,
    /// -1 is any.
    seed: Option<i32>,
    /// Such as `16:9`.
    aspect_ratio: Option<String>,
    /// 121 for 5 s, 241 for 10 s.
    frames: Option<u32>,
    /// With `CVSync2AsyncGetResult`: the task, in any dialect's spelling.
    task_id: Option<String>,
}

#[OpenApi(tag = "Tag::Gateways")]
impl Jimeng {
    /// Call Jimeng
    ///
    /// `CVSync2AsyncSubmitTask` holds what the video costs, queues it and answers at once; sent again with the same
    /// `Idempotency-Key` it gives the same task and charges nothing. `CVSync2AsyncGetResult` reads a task: call it every 2
    /// seconds until `data.status` is `done` or `code` is not 10000, which says why there is no video. Somebody else's task is
    /// not found. The path may end with a slash.
    ///
    /// Scope: `videos:write` to submit, `videos:read` to read.
    #[oai(path = "/jimeng", method = "post", operation_id = "callJimeng")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the request")]
    async fn call(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<Anyone>,
        /// What to do.
        #[oai(name = "Action")]
        action: Query<Needed<Action>>,
        /// Always `2022-08-31`.
        #[oai(name = "Version")]
        version: Query<Needed<Version>>,
        /// A name for a submission, 1 to 255 visible ASCII characters; kept as long as the task.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyKey,
        request: &Request,
        body: JsonObject<JimengRequest>,
    ) -> Result<Response<Json<Box<JimengAnswer>>>, ApiError> {
        let began = app.clock.now();
        let action = action_of(action.0, version.0)?;
        let stamp = || Stamp {
            request_id: request_id::noted(request),
            elapsed_ms: app.clock.now().millis() - began.millis(),
        };
        match action {
            Action::Submit => {
                let caller = caller.allowed::<VideosWrite>()?;
                let folded = fold(body.fields, &app.video.catalog);
                let mut taken = accept(&app, &caller, DIALECT, key, request.headers(), folded).await?;
                let warnings = std::mem::take(&mut taken.warnings);
                let answer = submitted(&app, &taken.view, warnings).stamped(stamp());
                // Where a GET finds it; here it is read by a POST.
                let location = format!("/v1/video/generations/{}", task_name(taken.view.task.id));
                Ok(taken.answer(Box::new(answer), &location))
            }
            Action::GetResult => {
                let caller = caller.allowed::<VideosRead>()?;
                let id = task_id(body.fields)?.parse().map_err(|_| ApiError::TaskNotFound)?;
                let view = app.video.task(caller.account, id).await?.ok_or(ApiError::TaskNotFound)?;
                Ok(polled(&view, Box::new(result(&app, &view).stamped(stamp()))))
            }
        }
    }
}

/// What is asked for, if both parameters are right; one answer names both when they are not.
fn action_of(action: Needed<Action>, version: Needed<Version>) -> Result<Action, ApiError> {
    let mut errors = FieldErrors::default();
    if let Err(message) = version.0 {
        errors.push("Version", message);
    }
    match action.0 {
        Ok(action) if errors.is_empty() => return Ok(action),
        Ok(_) => {}
        Err(message) => errors.push("Action", message),
    }
    Err(errors.into())
}

fn task_id(mut body: Fields) -> Result<String, ApiError> {
    body.require("task_id");
    let id = body.text("task_id").unwrap_or_default();
    body.finish()?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needed<T>(message: &str) -> Needed<T> {
        Needed(Err(message.to_owned()))
    }

    #[test]
    fn whatever_is_wrong_with_the_parameters_is_told_at_once() {
        assert_eq!(action_of(Needed(Ok(Action::Submit)), Needed(Ok(Version))).unwrap(), Action::Submit);
        let errors =
            |action, version| action_of(action, version).unwrap_err().field_errors().unwrap().clone();
        let both = errors(needed("a"), needed("b"));
        assert_eq!((both.of("Action"), both.of("Version")), (&["a".to_owned()][..], &["b".to_owned()][..]));
        assert_eq!(errors(Needed(Ok(Action::Submit)), needed("b")).of("Action"), [""; 0]);
        assert_eq!(errors(needed("a"), Needed(Ok(Version))).of("Action"), ["a"]);
    }
}
