//! From a body that was read to a task that is paid for, as every dialect but our own does it.

use std::sync::Arc;

use poem::http::HeaderMap;
use poem_openapi::payload::{Json, Response};
use poem_openapi::types::ToJSON;

use super::gateway::Folded;
use crate::app::App;
use crate::http::auth::{Caller, VideosWrite};
use crate::http::error::ApiError;
use crate::http::idempotency::IdempotencyKey;
use crate::video::read::TaskView;
use crate::video::submit::{Quoted, Submission};

/// What a client library says when it sends a request again on its own, without any key that would say which.
const RETRY_COUNT: &str = "x-stainless-retry-count";

/// A task that is paid for, and whether it was before.
#[derive(Debug)]
pub struct Taken {
    pub view: Arc<TaskView>,
    pub replayed: bool,
    /// What was accepted but will have no effect.
    pub warnings: Vec<String>,
}

impl Taken {
    /// The answer that tells of the task, and of where it can be read.
    pub fn answer<T: ToJSON>(&self, body: T, location: &str) -> Response<Json<T>> {
        let response =
            Response::new(Json(body)).header("Location", location).header("x-should-retry", "false");
        if self.replayed { response.header("Idempotent-Replayed", "true") } else { response }
    }
}

/// Accepts what was read. One answer names everything that is wrong, in the sender's own words.
pub async fn accept(
    app: &App,
    caller: &Caller<VideosWrite>,
    dialect: &'static str,
    key: IdempotencyKey,
    headers: &HeaderMap,
    folded: Folded,
) -> Result<Taken, ApiError> {
    let Folded { request, files, quote_id, names, mut warnings, .. } = readable(app, caller, folded)?;
    let keyed = key.0.is_some();
    let submission = Submission {
        request,
        dialect,
        idempotency_key: key.0,
        quote_id,
        is_repeated: is_repeated(headers),
        files,
    };
    let accepted = app.video.submit(&caller.payer(), submission).await;
    let accepted = accepted.map_err(|error| {
        ApiError::from(error).for_request(keyed).with_fields(|errors| names.translate(errors))
    })?;
    warnings.extend(accepted.warnings);
    // The task exists: what goes wrong from here on must not look as if it did not.
    let view = app.video.task(caller.account, accepted.task).await.unwrap_or_else(|error| {
        tracing::warn!(task = %accepted.task, "an accepted task could not be read: {error}");
        None
    });
    let view = view.ok_or(ApiError::OutcomeUnknown { keyed })?;
    Ok(Taken { view, replayed: accepted.replayed, warnings })
}

/// What [`accept`] would hold for what was read, and a promise of it.
pub async fn quote(
    app: &App,
    caller: &Caller<VideosWrite>,
    dialect: &'static str,
    folded: Folded,
) -> Result<Quoted, ApiError> {
    let Folded { request, files, names, warnings, .. } = readable(app, caller, folded)?;
    let submission =
        Submission { request, dialect, idempotency_key: None, quote_id: None, is_repeated: false, files };
    let quoted = app.video.quote(&caller.payer(), submission).await;
    let quoted =
        quoted.map_err(|error| ApiError::from(error).with_fields(|errors| names.translate(errors)))?;
    Ok(Quoted { warnings: [warnings, quoted.warnings].concat(), ..quoted })
}

/// What was read, unless something of it could not be: then the rules are asked about the rest, too.
fn readable(app: &App, caller: &Caller<VideosWrite>, folded: Folded) -> Result<Folded, ApiError> {
    let Folded { request, names, errors, .. } = &folded;
    if errors.is_empty() {
        return Ok(folded);
    }
    let mut more = names.translate(app.video.objections(caller.mode, request));
    more.fields.retain(|field, _| errors.of(field).is_empty());
    let mut errors = folded.errors;
    errors.merge(more);
    Err(errors.into())
}

fn is_repeated(headers: &HeaderMap) -> bool {
    let count = headers.get(RETRY_COUNT).and_then(|value| value.to_str().ok());
    count.and_then(|count| count.parse::<u32>().ok()).is_some_and(|count| count > 0)
}
