//! What the dialects have in common when they tell of a task: its links, why there is no video, when to look again; and the
//! record that the gateways of new-api's shape keep of it.

use entity::clip::{self, ClipState};
use entity::{TaskId, Timestamp};
use poem_openapi::Object;
use poem_openapi::payload::{Json, Response};
use poem_openapi::types::ToJSON;

use super::native::{clip_url, links_end_at};
use crate::app::App;
use crate::video::catalog::InputMode;
use crate::video::read::TaskView;
use crate::video::state::State;

/// Seconds after which to look again at a task that is under way.
pub const POLL_SECONDS: u32 = 2;

/// What a gateway keeps of a task.
#[derive(Debug, Object)]
#[oai(rename = "TaskRecord")]
pub struct Record {
    /// `task_` and 26 characters.
    task_id: String,
    /// `QUEUED`, `IN_PROGRESS`, `SUCCESS` or `FAILURE`.
    status: String,
    /// The first clip, once it is there: a link that works for an hour without a key. Read the task again for a fresh one.
    #[oai(nullable)]
    result_url: Option<String>,
    /// As `result_url`.
    #[oai(nullable)]
    url: Option<String>,
    /// Why there is no video; empty otherwise.
    fail_reason: String,
    /// Such as `30%`.
    progress: String,
    /// Unix time in seconds.
    submit_time: i64,
    /// When a provider was first asked; 0 until then.
    start_time: i64,
    /// 0 until the task has ended.
    finish_time: i64,
    /// `textGenerate`, or `generate` from something else than text.
    action: String,
}

/// Why there is no video.
#[derive(Debug)]
pub struct Failure<'v> {
    /// For programs: stable.
    pub code: &'v str,
    pub message: String,
}

/// The id, as these dialects spell it.
pub fn task_name(id: TaskId) -> String {
    id.spelled("task")
}

pub fn record(app: &App, view: &TaskView) -> Record {
    let url = links(app, view).into_iter().next();
    let started = view.attempts.first().map(|attempt| attempt.created_at);
    let is_of_text = view.terms.effective.mode == InputMode::TextToVideo;
    Record {
        task_id: task_name(view.task.id),
        status: status(view.state).into(),
        result_url: url.clone(),
        url,
        fail_reason: failure(view).map(|failure| failure.message).unwrap_or_default(),
        progress: format!("{}%", if view.state.is_terminal() { 100 } else { view.progress }),
        submit_time: view.task.created_at.seconds(),
        start_time: started.map_or(0, Timestamp::seconds),
        finish_time: view.task.terminal_at.map_or(0, Timestamp::seconds),
        action: if is_of_text { "textGenerate" } else { "generate" }.into(),
    }
}

fn status(state: State) -> &'static str {
    match state {
        State::Queued | State::Submitting => "QUEUED",
        State::Running | State::Reconciling | State::Storing => "IN_PROGRESS",
        State::Completed => "SUCCESS",
        State::Failed | State::Canceled | State::Expired => "FAILURE",
    }
}

/// `None` while the task is under way, and when it has a video.
pub fn failure(view: &TaskView) -> Option<Failure<'_>> {
    if !view.state.is_terminal() || view.state == State::Completed {
        return None;
    }
    let code = view.task.error_code.as_deref().unwrap_or(view.state.as_str());
    let told = view.task.error_message.as_deref().map(str::to_owned);
    Some(Failure { code, message: told.unwrap_or_else(|| format!("The video was not made: {code}")) })
}

/// Links to the clips that were delivered, in order.
pub fn links(app: &App, view: &TaskView) -> Vec<String> {
    let end = links_end_at(app.clock.now());
    let delivered = view.clips.iter().filter(|clip| clip.state == ClipState::Delivered);
    let indexes = delivered.filter_map(|clip| u32::try_from(clip.idx).ok());
    indexes.map(|index| clip_url(app, view.task.id, index, end)).collect()
}

/// The clips that were delivered, in order, each with its link.
pub fn delivered<'v>(app: &App, view: &'v TaskView) -> Vec<(&'v clip::Model, String)> {
    let clips = view.clips.iter().filter(|clip| clip.state == ClipState::Delivered);
    clips.zip(links(app, view)).collect()
}

/// Seconds of a clip as it was delivered, or as it is made.
pub fn seconds(view: &TaskView, clip: Option<&clip::Model>) -> f64 {
    let measured = clip.and_then(|clip| clip.millis).map(|millis| millis as f64 / 1_000.0);
    measured.unwrap_or_else(|| f64::from(view.terms.effective.duration_s))
}

/// An answer about a task; says when to look again while it is under way.
pub fn polled<T: ToJSON>(view: &TaskView, body: T) -> Response<Json<T>> {
    later(view, Response::new(Json(body)))
}

/// An answer about a task that says when to look again while it is under way.
pub fn later<T>(view: &TaskView, response: Response<T>) -> Response<T> {
    if view.state.is_terminal() { response } else { response.header("Retry-After", POLL_SECONDS) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_spelled_as_these_dialects_do_and_reads_back() {
        let id: TaskId = "tsk_01J9XA5M2R9W4QZC4PYJF3N7ND".parse().unwrap();
        assert_eq!(task_name(id), "task_01j9xa5m2r9w4qzc4pyjf3n7nd");
        assert_eq!(task_name(id).parse(), Ok(id));
    }

    #[test]
    fn every_state_has_one_of_the_four_words() {
        for (word, states) in [
            ("QUEUED", &[State::Queued, State::Submitting][..]),
            ("IN_PROGRESS", &[State::Running, State::Reconciling, State::Storing]),
            ("SUCCESS", &[State::Completed]),
            ("FAILURE", &[State::Failed, State::Canceled, State::Expired]),
        ] {
            states.iter().for_each(|state| assert_eq!(status(*state), word, "{state:?}"));
        }
    }
}
