//! A task in Jimeng's envelope.

use poem_openapi::Object;

use super::super::record::{Failure, failure, links, task_name};
use super::error::{SUCCESS, number_of};
use crate::app::App;
use crate::http::value::{Amount, Shown};
use crate::video::read::TaskView;
use crate::video::state::State;

/// A task that was submitted or read.
#[derive(Debug, Object)]
pub struct JimengAnswer {
    /// 10000, or why there is no video.
    code: u32,
    /// `Success`, or why there is no video.
    message: String,
    /// As `code`.
    status: u32,
    /// Also in the header `X-Request-Id`.
    #[oai(skip_serializing_if_is_none)]
    request_id: Option<String>,
    /// How long it took to answer, such as `12ms`.
    #[oai(skip_serializing_if_is_none)]
    time_elapsed: Option<String>,
    /// Null when there is no video.
    #[oai(nullable)]
    data: Option<JimengTask>,
    /// Why there is no video.
    #[oai(skip_serializing_if_is_none)]
    error: Option<JimengFailure>,
    /// As `data.task_id`.
    id: String,
    /// As `data.task_id`.
    task_id: String,
    /// Always `video`.
    object: String,
    /// The model that it is billed as.
    model: String,
    /// Percent.
    progress: u8,
    /// Unix time in seconds.
    created_at: i64,
    /// Held while the video is made, then what was charged.
    credits_used: Amount,
    /// What was accepted but has no effect.
    warnings: Vec<String>,
}

/// A task as Jimeng tells it.
#[derive(Debug, Object)]
struct JimengTask {
    /// `task_` and 26 characters.
    task_id: String,
    /// `in_queue`, `generating` or `done`. A task that is not found is refused with status 404, and here `not_found`.
    status: String,
    /// The first clip, once it is there: a link that works for an hour without a key. Read the task again for a fresh one.
    #[oai(nullable)]
    video_url: Option<String>,
    /// Every clip.
    video_urls: Vec<String>,
}

/// Why a video was not made.
#[derive(Debug, Object)]
struct JimengFailure {
    /// For programs: stable.
    code: String,
    message: String,
}

/// What only the request knows.
#[derive(Debug)]
pub struct Stamp {
    pub request_id: Option<String>,
    pub elapsed_ms: i64,
}

impl JimengAnswer {
    pub fn stamped(self, stamp: Stamp) -> JimengAnswer {
        let time_elapsed = Some(format!("{}ms", stamp.elapsed_ms));
        JimengAnswer { request_id: stamp.request_id, time_elapsed, ..self }
    }
}

/// The answer to a submission: that there is a task, whatever became of it if it is an earlier one.
pub fn submitted(app: &App, view: &TaskView, warnings: Vec<String>) -> JimengAnswer {
    let id = task_name(view.task.id);
    JimengAnswer {
        code: SUCCESS,
        message: "Success".into(),
        status: SUCCESS,
        request_id: None,
        time_elapsed: None,
        data: Some(task(app, view)),
        error: None,
        id: id.clone(),
        task_id: id,
        object: "video".into(),
        model: view.task.model.clone(),
        progress: view.progress,
        created_at: view.task.created_at.seconds(),
        credits_used: Shown(view.credits_used()),
        warnings,
    }
}

/// The answer to a look at a task.
pub fn result(app: &App, view: &TaskView) -> JimengAnswer {
    let answer = submitted(app, view, view.terms.warnings.clone());
    let Some(Failure { code, message }) = failure(view) else { return answer };
    let number = number_of(code);
    let error = JimengFailure { code: code.to_owned(), message: message.clone() };
    JimengAnswer { code: number, status: number, message, data: None, error: Some(error), ..answer }
}

fn task(app: &App, view: &TaskView) -> JimengTask {
    let video_urls = links(app, view);
    JimengTask {
        task_id: task_name(view.task.id),
        status: status(view.state).into(),
        video_url: video_urls.first().cloned(),
        video_urls,
    }
}

fn status(state: State) -> &'static str {
    match state {
        State::Queued | State::Submitting => "in_queue",
        State::Running | State::Reconciling | State::Storing => "generating",
        State::Completed | State::Failed | State::Canceled | State::Expired => "done",
    }
}
