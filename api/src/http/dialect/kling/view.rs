//! A task in Kling's envelope.

use std::sync::Arc;

use poem_openapi::Object;

use super::super::native::updated_at;
use super::super::openai;
use super::super::record::{Record, delivered, failure, record, seconds, task_name};
use crate::app::App;
use crate::http::value::{Amount, Shown};
use crate::video::read::TaskView;
use crate::video::state::State;

/// One task.
#[derive(Debug, Object)]
pub struct KlingAnswer {
    /// Always 0; a refusal has another number.
    code: u16,
    /// Always `SUCCEED`.
    message: String,
    /// Also in the header `X-Request-Id`.
    #[oai(skip_serializing_if_is_none)]
    request_id: Option<String>,
    data: KlingTask,
    /// As `data.task_id`.
    id: String,
    /// As `data.task_id`.
    task_id: String,
    /// Always `video`.
    object: String,
    /// The model that it is billed as.
    model: String,
    /// `queued`, `in_progress`, `completed` or `failed`.
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

/// A page of tasks.
#[derive(Debug, Object)]
pub struct KlingPage {
    /// Always 0; a refusal has another number.
    code: u16,
    /// Always `SUCCEED`.
    message: String,
    /// Also in the header `X-Request-Id`.
    #[oai(skip_serializing_if_is_none)]
    request_id: Option<String>,
    data: Vec<KlingTask>,
}

/// A task as Kling tells it, and as gateways keep it.
#[derive(Debug, Object)]
pub struct KlingTask {
    #[oai(flatten)]
    record: Record,
    /// `submitted`, `processing`, `succeed` or `failed`.
    task_status: String,
    /// Why there is no video; empty otherwise.
    task_status_msg: String,
    task_info: KlingTaskInfo,
    /// Unix time in milliseconds.
    created_at: i64,
    updated_at: i64,
    /// The videos, once they are there.
    #[oai(skip_serializing_if_is_none)]
    task_result: Option<KlingResult>,
    /// The credits that were charged, once it has ended.
    #[oai(skip_serializing_if_is_none)]
    final_unit_deduction: Option<String>,
}

#[derive(Debug, Object)]
struct KlingTaskInfo {
    /// Your own name for it.
    #[oai(nullable)]
    external_task_id: Option<String>,
}

#[derive(Debug, Object)]
struct KlingResult {
    videos: Vec<KlingVideo>,
}

/// One clip.
#[derive(Debug, Object)]
struct KlingVideo {
    /// Names it as `video_id`, where it is the task's first.
    id: String,
    /// A link that works for an hour without a key. Read the task again for a fresh one.
    url: String,
    /// Seconds, such as `5` or `5.1`.
    duration: String,
}

impl KlingAnswer {
    /// Says what the request's own warnings are, in place of those that are stored.
    pub fn warn(&mut self, warnings: Vec<String>) {
        self.warnings = warnings;
    }
}

pub fn answer(app: &App, view: &TaskView, request_id: Option<String>) -> KlingAnswer {
    let id = task_name(view.task.id);
    KlingAnswer {
        code: 0,
        message: "SUCCEED".into(),
        request_id,
        data: task(app, view),
        id: id.clone(),
        task_id: id,
        object: "video".into(),
        model: view.task.model.clone(),
        status: openai::status(view.state).into(),
        progress: view.progress,
        created_at: view.task.created_at.seconds(),
        credits_used: Shown(view.credits_used()),
        warnings: view.terms.warnings.clone(),
    }
}

pub fn page(app: &App, views: &[Arc<TaskView>], request_id: Option<String>) -> KlingPage {
    let data = views.iter().map(|view| task(app, view)).collect();
    KlingPage { code: 0, message: "SUCCEED".into(), request_id, data }
}

pub fn task(app: &App, view: &TaskView) -> KlingTask {
    let has_video = view.state == State::Completed;
    KlingTask {
        record: record(app, view),
        task_status: status(view.state).into(),
        task_status_msg: failure(view).map(|failure| failure.message).unwrap_or_default(),
        task_info: KlingTaskInfo { external_task_id: view.terms.request.external_task_id.clone() },
        created_at: view.task.created_at.millis(),
        updated_at: updated_at(view).millis(),
        task_result: has_video.then(|| KlingResult { videos: videos(app, view) }),
        final_unit_deduction: view.state.is_terminal().then(|| view.credits_used().to_string()),
    }
}

fn videos(app: &App, view: &TaskView) -> Vec<KlingVideo> {
    let task = task_name(view.task.id);
    let video = |(clip, url): (&entity::clip::Model, String)| KlingVideo {
        id: if clip.idx == 0 { task.clone() } else { format!("{task}-{}", clip.idx) },
        url,
        duration: seconds(view, Some(clip)).to_string(),
    };
    delivered(app, view).into_iter().map(video).collect()
}

fn status(state: State) -> &'static str {
    match state {
        State::Queued | State::Submitting => "submitted",
        State::Running | State::Reconciling | State::Storing => "processing",
        State::Completed => "succeed",
        State::Failed | State::Canceled | State::Expired => "failed",
    }
}
