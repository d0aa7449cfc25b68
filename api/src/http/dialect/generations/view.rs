//! A task as the generic route tells it: the flat answer that is documented, and beside it the one that gateways give.

use poem_openapi::Object;

use super::super::openai;
use super::super::record::{Record, delivered, failure, record, seconds, task_name};
use crate::app::App;
use crate::http::value::{Amount, Shown};
use crate::video::catalog::dimensions;
use crate::video::read::TaskView;

/// A task that is paid for.
#[derive(Debug, Object)]
#[oai(rename = "CreatedGeneration")]
pub struct Created {
    /// `task_` and 26 characters.
    task_id: String,
    /// As `task_id`.
    id: String,
    /// Always `video`.
    object: String,
    /// The model that it is billed as.
    model: String,
    /// As in the task; `queued` unless the task is an earlier one.
    status: String,
    /// Percent.
    progress: u8,
    /// Unix time in seconds.
    created_at: i64,
    /// Held while the video is made, then what was charged.
    credits_used: Amount,
    /// What was accepted but has no effect.
    warnings: Vec<String>,
}

/// A task as it is now.
#[derive(Debug, Object)]
pub struct Generation {
    /// `task_` and 26 characters.
    task_id: String,
    /// `queued`, `in_progress`, `completed` or `failed`.
    status: String,
    /// The first clip, once it is there: a link that works for an hour without a key. Read the task again for a fresh one.
    #[oai(nullable)]
    url: Option<String>,
    /// Always `mp4`.
    format: String,
    metadata: GenerationMetadata,
    /// Why there is no video.
    #[oai(nullable)]
    error: Option<GenerationError>,
    /// Always `success`: the task was found, whatever became of it.
    code: String,
    /// Always empty.
    message: String,
    data: Record,
}

/// What the first clip is like; what it will be like until it is there.
#[derive(Debug, Object)]
struct GenerationMetadata {
    /// Seconds.
    duration: f64,
    /// Pixels.
    width: i64,
    height: i64,
    #[oai(nullable)]
    seed: Option<u32>,
}

/// Why a video was not made.
#[derive(Debug, Object)]
struct GenerationError {
    /// As a status of HTTP: 400 what was asked for, 499 canceled, 504 out of time, 500 anything else.
    code: u16,
    message: String,
}

pub fn created(view: &TaskView, warnings: Vec<String>) -> Created {
    let id = task_name(view.task.id);
    Created {
        task_id: id.clone(),
        id,
        object: "video".into(),
        model: view.task.model.clone(),
        status: openai::status(view.state).into(),
        progress: view.progress,
        created_at: view.task.created_at.seconds(),
        credits_used: Shown(view.credits_used()),
        warnings,
    }
}

pub fn generation(app: &App, view: &TaskView) -> Generation {
    let first = delivered(app, view).into_iter().next();
    let (clip, url) = first.map_or((None, None), |(clip, url)| (Some(clip), Some(url)));
    let effective = &view.terms.effective;
    let (width, height) = dimensions(effective.resolution, effective.aspect_ratio);
    Generation {
        task_id: task_name(view.task.id),
        status: openai::status(view.state).into(),
        url,
        format: "mp4".into(),
        metadata: GenerationMetadata {
            duration: seconds(view, clip),
            width: clip.and_then(|clip| clip.width).unwrap_or(i64::from(width)),
            height: clip.and_then(|clip| clip.height).unwrap_or(i64::from(height)),
            seed: effective.seed,
        },
        error: failure(view)
            .map(|failure| GenerationError { code: as_status(failure.code), message: failure.message }),
        code: "success".into(),
        message: String::new(),
        data: record(app, view),
    }
}

fn as_status(code: &str) -> u16 {
    match code {
        "invalid_input" | "input_unreachable" | "moderation" => 400,
        "canceled" => 499,
        "expired" | "timeout" => 504,
        _ => 500,
    }
}
