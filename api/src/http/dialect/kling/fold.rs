//! From a body of Kling's to the one request of the video room. The path says what kind of video it is.

use entity::AccountId;

use super::super::gateway::{self, Folded, Route, Wish};
use super::super::openai::{derived, source};
use super::kind::Kind;
use crate::app::App;
use crate::http::body::Fields;
use crate::http::error::ApiError;
use crate::video::catalog::Catalog;
use crate::video::state::State;

/// What Kling adds to a video, in seconds.
const EXTENSION_S: u32 = 5;

pub async fn fold(app: &App, account: AccountId, kind: Kind, body: Fields) -> Result<Folded, ApiError> {
    match kind {
        Kind::VideoExtend => extension(app, account, body).await,
        _ => Ok(from_scratch(kind, body, &app.video.catalog)),
    }
}

fn from_scratch(kind: Kind, body: Fields, catalog: &Catalog) -> Folded {
    let says_model = body.peek("model").is_some();
    let route = Route { model: Some(kind.default_model()), wish: kind.wish() };
    let mut folded = gateway::fold(body, catalog, route);
    if !says_model {
        folded.names.say("model", "model_name");
    }
    folded
}

/// A body that goes on with a video of the caller's, on its model.
async fn extension(app: &App, account: AccountId, mut body: Fields) -> Result<Folded, ApiError> {
    if ["duration", "seconds"].iter().all(|name| body.peek(name).is_none()) {
        body.lay("duration", &EXTENSION_S.into());
    }
    let wrong = |message| ApiError::field("video_id", message);
    let source = source(app, account, &body).await?;
    let source =
        source.ok_or_else(|| wrong("Required: the id of a video of yours, as task_result.videos has it"))?;
    if source.state != State::Completed {
        return Err(wrong("Must be a completed video"));
    }
    Ok(derived(app, body, Wish::Extend, Some(&source)))
}

#[cfg(test)]
mod tests;
