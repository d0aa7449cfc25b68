//! A task as customers see it. Never shown: a provider's ids, the keys we submit with, what a provider charges us.

use std::collections::BTreeMap;

use entity::Timestamp;
use entity::attempt::{self, AttemptState};
use entity::clip::{self, ClipState};
use entity::hold;
use poem_openapi::Object;
use serde_json::{Value, json};

use super::generate::PriceExplanation;
use super::link::clip_url;
use crate::app::App;
use crate::http::etag::Etag;
use crate::http::value::{Amount, Moment, Shown};
use crate::video::read::{TaskView, Terms};
use crate::video::state::State;

/// Everything there is to say about a task.
#[derive(Debug, Object)]
#[oai(rename = "Task", rename_all = "camelCase")]
pub struct TaskBody {
    /// `tsk_` and a ULID.
    task_id: String,
    /// As `taskId`.
    id: String,
    /// Always `video`.
    #[oai(rename = "type")]
    kind: String,
    /// 0: pending, poll again. 1: completed. 2: failed, canceled or expired.
    status: u8,
    /// `queued`, `submitting`, `running`, `reconciling`, `storing`, `completed`, `failed`, `canceled` or `expired`.
    state: String,
    /// Percent.
    progress: u8,
    cancel_requested: bool,
    model: String,
    /// As it was made, defaults filled in.
    input_mode: String,
    #[oai(nullable)]
    prompt: Option<String>,
    /// Seconds of one clip.
    duration: u32,
    resolution: String,
    aspect_ratio: String,
    /// Clips.
    count: u16,
    /// Empty: a video task makes no images.
    image_urls: Vec<String>,
    /// As `imageUrls`.
    output_image_urls: Vec<String>,
    /// The first clip, once it is there: a link that works for an hour without a key. Read the task again for a fresh one.
    #[oai(nullable)]
    video_url: Option<String>,
    /// Every clip; empty until the task has ended.
    clips: Vec<Clip>,
    /// Why there is no video.
    #[oai(nullable)]
    error_code: Option<String>,
    #[oai(nullable)]
    error_message: Option<String>,
    /// Held while the task is pending, then what was charged.
    credits_used: Amount,
    /// Whether everything came back.
    credits_refunded: bool,
    /// As `creditsRefunded`.
    credit_refunded: bool,
    charges: Charges,
    /// Submissions to providers, in order.
    attempts: Vec<Attempt>,
    warnings: Vec<String>,
    /// Your own name for the task.
    #[oai(nullable)]
    external_task_id: Option<String>,
    /// As you sent it.
    metadata: BTreeMap<String, Value>,
    created_at: Moment,
    updated_at: Moment,
    /// When the task ended, however it did.
    #[oai(nullable)]
    completed_at: Option<Moment>,
}

/// What became of the task's credits. `captured` and `released` add up to `held` once it has ended.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct Charges {
    /// The price that was held at the start.
    held: Amount,
    /// Charged for what was delivered.
    captured: Amount,
    /// Given back because it was not delivered.
    released: Amount,
    /// Given back later, of what was captured.
    refunded: Amount,
    /// How the price came about.
    explanation: PriceExplanation,
}

/// One clip of a task.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct Clip {
    index: u32,
    /// `delivered` or `failed`.
    state: String,
    /// A link that works for an hour without a key.
    #[oai(nullable)]
    url: Option<String>,
    #[oai(nullable)]
    seconds: Option<f64>,
    /// Pixels.
    #[oai(nullable)]
    width: Option<i64>,
    #[oai(nullable)]
    height: Option<i64>,
    #[oai(nullable)]
    bytes: Option<i64>,
    #[oai(nullable)]
    error_code: Option<String>,
    #[oai(nullable)]
    error_message: Option<String>,
}

/// One submission to a provider.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct Attempt {
    n: i64,
    provider: String,
    /// `intent`, `accepted`, `delivered`, `failed`, `rejected`, `unknown`, `absent`, `broken`, `canceled` or `abandoned`.
    state: String,
    started_at: Moment,
    #[oai(nullable)]
    accepted_at: Option<Moment>,
    #[oai(nullable)]
    ended_at: Option<Moment>,
    #[oai(nullable)]
    error_code: Option<String>,
}

/// 0 while it is pending, 1 with a video, 2 without one.
pub fn status_number(state: State) -> u8 {
    match state {
        State::Completed => 1,
        _ if state.is_terminal() => 2,
        _ => 0,
    }
}

/// Names what a task is now: everything about it that can change, and not its links, which are new with every answer.
pub fn task_etag(view: &TaskView) -> Etag {
    let TaskView { task, hold, .. } = view;
    let attempts = view.attempts.iter().map(|attempt| {
        json!([
            attempt.n,
            attempt_state(attempt.state),
            attempt.accepted_at,
            attempt.ended_at,
            attempt.error_code
        ])
    });
    Etag::of(&json!([
        view.state.as_str(),
        view.progress,
        view.cancel_requested,
        task.terminal_at,
        task.error_code,
        task.error_message,
        [hold.amount, hold.captured, hold.released, hold.refunded],
        attempts.collect::<Vec<_>>(),
    ]))
}

/// Words a task for its owner.
pub fn task_body(app: &App, view: &TaskView, links_end_at: Timestamp) -> TaskBody {
    let came_back = view.is_refunded();
    let TaskView { state, task, terms, .. } = view;
    let Terms { explanation, request, effective, warnings } = &**terms;
    let url = |clip: &clip::Model| {
        let index = u32::try_from(clip.idx).ok()?;
        (clip.state == ClipState::Delivered).then(|| clip_url(app, task.id, index, links_end_at))
    };
    let clips: Vec<Clip> = view.clips.iter().map(|clip| clip_body(clip, url(clip))).collect();
    TaskBody {
        task_id: task.id.to_string(),
        id: task.id.to_string(),
        kind: "video".into(),
        status: status_number(*state),
        state: state.as_str().into(),
        progress: view.progress,
        cancel_requested: view.cancel_requested,
        model: task.model.clone(),
        input_mode: effective.mode.to_string(),
        prompt: request.prompt.clone(),
        duration: effective.duration_s,
        resolution: effective.resolution.to_string(),
        aspect_ratio: effective.aspect_ratio.to_string(),
        count: effective.count,
        image_urls: Vec::new(),
        output_image_urls: Vec::new(),
        video_url: clips.first().and_then(|clip| clip.url.clone()),
        clips,
        error_code: task.error_code.clone(),
        error_message: task.error_message.clone(),
        credits_used: Shown(view.credits_used()),
        credits_refunded: came_back,
        credit_refunded: came_back,
        charges: charges(&view.hold, explanation.clone().into()),
        attempts: view.attempts.iter().map(attempt_body).collect(),
        warnings: warnings.clone(),
        external_task_id: request.external_task_id.clone(),
        metadata: request.metadata.clone(),
        created_at: Shown(task.created_at),
        updated_at: Shown(updated_at(view)),
        completed_at: task.terminal_at.map(Shown),
    }
}

/// The last thing that is known to have happened to it.
pub fn updated_at(view: &TaskView) -> Timestamp {
    let attempts = view.attempts.iter().flat_map(|attempt| {
        [Some(attempt.created_at), attempt.accepted_at, attempt.ended_at].into_iter().flatten()
    });
    attempts.chain(view.task.terminal_at).fold(view.task.created_at, Timestamp::max)
}

fn charges(hold: &hold::Model, explanation: PriceExplanation) -> Charges {
    Charges {
        held: Shown(hold.amount),
        captured: Shown(hold.captured),
        released: Shown(hold.released),
        refunded: Shown(hold.refunded),
        explanation,
    }
}

fn clip_body(clip: &clip::Model, url: Option<String>) -> Clip {
    let state = match clip.state {
        ClipState::Delivered => "delivered",
        ClipState::Failed => "failed",
    };
    Clip {
        index: u32::try_from(clip.idx).unwrap_or(u32::MAX),
        state: state.into(),
        url,
        seconds: clip.millis.map(|millis| millis as f64 / 1_000.0),
        width: clip.width,
        height: clip.height,
        bytes: clip.bytes,
        error_code: clip.error_code.clone(),
        error_message: clip.error_message.clone(),
    }
}

fn attempt_body(attempt: &attempt::Model) -> Attempt {
    Attempt {
        n: attempt.n,
        provider: attempt.provider.clone(),
        state: attempt_state(attempt.state).into(),
        started_at: Shown(attempt.created_at),
        accepted_at: attempt.accepted_at.map(Shown),
        ended_at: attempt.ended_at.map(Shown),
        error_code: attempt.error_code.clone(),
    }
}

fn attempt_state(state: AttemptState) -> &'static str {
    match state {
        AttemptState::Intent => "intent",
        AttemptState::Accepted => "accepted",
        AttemptState::Delivered => "delivered",
        AttemptState::Failed => "failed",
        AttemptState::Rejected => "rejected",
        AttemptState::Unknown => "unknown",
        AttemptState::Absent => "absent",
        AttemptState::Broken => "broken",
        AttemptState::Canceled => "canceled",
        AttemptState::Abandoned => "abandoned",
    }
}
