//! From what is stored of a task to what a provider is sent. Only what was priced goes in.

use entity::{attempt, task, task_request};

use crate::provider::{Submission, SubmissionMedia};
use crate::video::catalog::{Catalog, dimensions};
use crate::video::rules::Effective;

/// What an attempt of a task sends.
pub fn build(
    catalog: &Catalog,
    task: &task::Model,
    request: &task_request::Model,
    attempt: &attempt::Model,
) -> Result<Submission, serde_json::Error> {
    let effective: Effective = serde_json::from_str(&request.effective)?;
    let (width, height) = dimensions(effective.resolution, effective.aspect_ratio);
    let media = effective.media.iter().map(|medium| SubmissionMedia {
        role: medium.role.field().to_owned(),
        url: medium.url.clone(),
        file: None,
    });
    Ok(Submission {
        submit_key: attempt.submit_key.clone(),
        native_id: native_id(catalog, task, attempt),
        model: effective.model_id.clone(),
        mode: effective.mode.as_str().to_owned(),
        prompt: effective.prompt.clone().unwrap_or_default(),
        negative_prompt: effective.negative_prompt.clone(),
        media: media.collect(),
        duration_s: effective.duration_s,
        resolution: effective.resolution.as_str().to_owned(),
        aspect_ratio: effective.aspect_ratio.to_string(),
        width,
        height,
        audio: effective.audio,
        seed: effective.seed.map(i64::from),
        clip: u32::try_from(attempt.clip_from).unwrap_or(0),
        clips: u32::try_from(attempt.clip_count).unwrap_or(1),
        options: effective.options.into_iter().collect(),
        extra: effective.extra.into_iter().collect(),
    })
}

/// What the attempt's provider calls the model; a model that left the catalog keeps its own name.
fn native_id(catalog: &Catalog, task: &task::Model, attempt: &attempt::Model) -> String {
    let route = catalog.model(&task.model).and_then(|model| {
        model
            .routes
            .iter()
            .find(|route| route.provider == attempt.provider)
            .map(|route| route.native_id.clone())
    });
    route.unwrap_or_else(|| task.model.clone())
}
