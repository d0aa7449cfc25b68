//! From what is stored of a task to what a provider is sent. Only what was priced goes in.

use entity::{attempt, task, task_request};

use crate::app::App;
use crate::provider::{Submission, SubmissionMedia};
use crate::video::catalog::{AspectRatio, Model, Route, dimensions};
use crate::video::rules::Effective;

/// What an attempt of a task sends.
pub fn build(
    app: &App,
    task: &task::Model,
    request: &task_request::Model,
    attempt: &attempt::Model,
) -> Result<Submission, serde_json::Error> {
    let effective: Effective = serde_json::from_str(&request.effective)?;
    let model = app.video.catalog.model(&task.model);
    let route = model.and_then(|model| route(model, &attempt.provider, &effective));
    Ok(Submission {
        clip: u32::try_from(attempt.clip_from).unwrap_or(0),
        clips: u32::try_from(attempt.clip_count).unwrap_or(1),
        callback_url: app.callback_url(&attempt.provider, attempt.task_id, attempt.n),
        ..order(&effective, route, attempt.submit_key.clone())
    })
}

/// One clip of what was checked, and nothing that was not. A model that left the catalog keeps its own name.
pub fn order(effective: &Effective, route: Option<&Route>, submit_key: String) -> Submission {
    let follows_source = route.is_some_and(Route::follows_source);
    let aspect_ratio = if follows_source { AspectRatio::Auto } else { effective.aspect_ratio };
    let (width, height) = dimensions(effective.resolution, aspect_ratio);
    let media = effective.media.iter().map(|medium| SubmissionMedia {
        role: medium.role,
        url: medium.url.clone(),
        file: None,
        made_by: None,
    });
    Submission {
        submit_key,
        native_id: route.map_or(&effective.model_id, |route| &route.native_id).clone(),
        model: effective.model_id.clone(),
        mode: effective.mode,
        prompt: effective.prompt.clone().unwrap_or_default(),
        negative_prompt: effective.negative_prompt.clone(),
        media: media.collect(),
        duration_s: effective.duration_s,
        resolution: effective.resolution.as_str().to_owned(),
        aspect_ratio: aspect_ratio.to_string(),
        width,
        height,
        audio: effective.audio,
        seed: effective.seed.map(i64::from),
        clip: 0,
        clips: 1,
        options: effective.options.clone().into_iter().collect(),
        extra: effective.extra.clone().into_iter().collect(),
        callback_url: None,
    }
}

/// The route by which a provider makes this; any to it, if none can any more.
fn route<'a>(model: &'a Model, provider: &str, effective: &Effective) -> Option<&'a Route> {
    let wanted = effective.wanted();
    let there = || model.routes.iter().filter(|route| route.provider == provider);
    there().find(|route| route.can_make(&wanted)).or_else(|| there().next())
}
