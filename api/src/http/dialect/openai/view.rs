//! A task as a video of OpenAI's: its thirteen members, and what the gateways of its shape add to them.

use std::collections::BTreeMap;

use entity::Timestamp;
use poem_openapi::Object;
use serde_json::Value;

use super::super::record::{Failure, failure, links};
use crate::app::App;
use crate::http::value::{Amount, Shown};
use crate::video::catalog::dimensions;
use crate::video::read::{TaskView, Terms};
use crate::video::request::MediaRole;
use crate::video::state::State;

/// A video that is made or was made.
#[derive(Debug, Object)]
#[oai(rename = "Video")]
pub struct Video {
    /// `video_` and 26 characters.
    id: String,
    /// Always `video`.
    object: String,
    /// The model that it is billed as.
    model: String,
    /// `queued`, `in_progress`, `completed` or `failed`.
    status: String,
    /// Percent.
    progress: u8,
    /// Unix time in seconds, as every time here.
    created_at: i64,
    /// When the task ended, however it did.
    #[oai(nullable)]
    completed_at: Option<i64>,
    /// Always null: clips are kept until they are deleted.
    #[oai(nullable)]
    expires_at: Option<i64>,
    #[oai(nullable)]
    prompt: Option<String>,
    /// Pixels, as it is made.
    size: String,
    /// Seconds of one clip, as it is made.
    seconds: String,
    /// The video that this one was made from, if it was one of yours.
    #[oai(nullable)]
    remixed_from_video_id: Option<String>,
    /// Why there is no video.
    #[oai(nullable)]
    error: Option<VideoError>,
    /// As `id`.
    task_id: String,
    /// The first clip, once it is there: a link that works for an hour without a key. Read the video again for a fresh one.
    #[oai(nullable)]
    video_url: Option<String>,
    /// As `video_url`.
    #[oai(nullable)]
    url: Option<String>,
    /// Every clip; empty until the video is completed.
    videos: Vec<String>,
    /// Holds `url`, as `video_url`, once it is there.
    metadata: BTreeMap<String, Value>,
    /// Held while the video is made, then what was charged.
    credits_used: Amount,
    /// Your own name for it.
    #[oai(nullable)]
    external_task_id: Option<String>,
    /// Your own name for your end user, if you gave one.
    #[oai(skip_serializing_if_is_none)]
    user: Option<String>,
    /// What was accepted but has no effect.
    warnings: Vec<String>,
}

impl Video {
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Says what the order's own warnings are, in place of those that are stored.
    pub fn warn(&mut self, warnings: Vec<String>) {
        self.warnings = warnings;
    }
}

/// Why a video was not made.
#[derive(Debug, Object)]
struct VideoError {
    /// For programs: stable.
    code: String,
    message: String,
}

/// The id, as this dialect spells it.
pub fn video_id(id: entity::TaskId) -> String {
    id.spelled("video")
}

pub fn status(state: State) -> &'static str {
    match state {
        State::Queued | State::Submitting => "queued",
        State::Running | State::Reconciling | State::Storing => "in_progress",
        State::Completed => "completed",
        State::Failed | State::Canceled | State::Expired => "failed",
    }
}

/// Words a task for its owner.
pub fn video(app: &App, view: &TaskView) -> Video {
    let TaskView { state, task, terms, .. } = view;
    let Terms { request, effective, warnings, .. } = &**terms;
    let (width, height) = dimensions(effective.resolution, effective.aspect_ratio);
    let videos = links(app, view);
    let first = videos.first().cloned();
    let id = video_id(task.id);
    Video {
        id: id.clone(),
        object: "video".into(),
        model: task.model.clone(),
        status: status(*state).into(),
        progress: view.progress,
        created_at: task.created_at.seconds(),
        completed_at: task.terminal_at.map(Timestamp::seconds),
        expires_at: None,
        prompt: request.prompt.clone(),
        size: format!("{width}x{height}"),
        seconds: effective.duration_s.to_string(),
        remixed_from_video_id: source(view),
        error: error(view),
        task_id: id,
        video_url: first.clone(),
        url: first.clone(),
        videos,
        metadata: first.map(|url| ("url".to_owned(), url.into())).into_iter().collect(),
        credits_used: Shown(view.credits_used()),
        external_task_id: request.external_task_id.clone(),
        user: request.user.clone(),
        warnings: warnings.clone(),
    }
}

fn source(view: &TaskView) -> Option<String> {
    let media = &view.terms.request.media;
    let source = media.iter().find(|medium| medium.role == MediaRole::SourceVideo)?;
    source.url.parse().ok().map(video_id)
}

fn error(view: &TaskView) -> Option<VideoError> {
    let Failure { code, message } = failure(view)?;
    Some(VideoError { code: code.to_owned(), message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_spelled_as_this_dialect_does_and_reads_back() {
        let id: entity::TaskId = "tsk_01J9XA5M2R9W4QZC4PYJF3N7ND".parse().unwrap();
        assert_eq!(video_id(id), "video_01j9xa5m2r9w4qzc4pyjf3n7nd");
        assert_eq!(video_id(id).parse(), Ok(id));
    }

    #[test]
    fn only_the_four_statuses_of_the_client_libraries_are_said() {
        for state in State::ALL {
            assert!(["queued", "in_progress", "completed", "failed"].contains(&status(state)), "{state:?}");
        }
        assert_eq!(status(State::Canceled), "failed");
    }
}
