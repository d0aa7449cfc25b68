//! Gemini Omni: interactions, which may go on from earlier ones.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::files::{inline, too_large};
use super::refusal::verdict;
use super::veo::{Said, Source};
use crate::provider::json::{int_at, text_at, url_at};
use crate::provider::{Cost, FailureCode, Progress, ProviderError, Submission, SubmissionMedia};
use crate::video::catalog::InputMode;
use crate::video::request::MediaRole;

/// The body of a submission; `earlier` is the interaction that it goes on from, `videos` are what they have of ours.
pub async fn body(
    submission: &Submission,
    earlier: Option<&str>,
    videos: Vec<Value>,
) -> Result<Value, ProviderError> {
    let mut input = videos;
    let images = submission.media.iter().filter(|medium| medium.role.is_image());
    for medium in images {
        let (kind, bytes) = inline(medium).await?;
        input.push(json!({ "type": "image", "data": bytes, "mime_type": kind }));
    }
    input.push(json!({ "type": "text", "text": submission.prompt }));
    let mut format = json!({
        "type": "video",
        "delivery": "uri",
        "resolution": submission.resolution,
        "duration": format!("{}s", submission.duration_s),
    });
    if submission.aspect_ratio != "auto" {
        format["aspect_ratio"] = json!(submission.aspect_ratio);
    }
    // Without it the call lasts as long as the work.
    let mut body = json!({
        "model": submission.native_id,
        "background": true,
        "input": input,
        "response_format": format,
        // Otherwise they guess it from the prompt.
        "generation_config": { "video_config": { "task": task(submission.mode) } },
    });
    if let Some(earlier) = earlier {
        body["previous_interaction_id"] = json!(earlier);
    }
    Ok(body)
}

/// The videos that they have to be given first, or why this is not made there.
pub fn videos<'a>(
    submission: &'a Submission,
    earlier: Option<&str>,
) -> Result<Vec<&'a SubmissionMedia>, ProviderError> {
    let unsupported = |reason| Err(ProviderError::refused(FailureCode::Unsupported, reason, None));
    if submission.mode == InputMode::VideoExtend && earlier.is_none() {
        return unsupported("only what was made there can be gone on with");
    }
    if submission.one(MediaRole::LastFrame).is_some() {
        return unsupported("there is no last frame");
    }
    if let Some(reason) = too_large(submission) {
        return unsupported(reason);
    }
    let source = submission.all(MediaRole::SourceVideo).filter(|_| earlier.is_none());
    Ok(source.chain(submission.all(MediaRole::ReferenceVideo)).collect())
}

fn task(mode: InputMode) -> &'static str {
    match mode {
        InputMode::TextToVideo => "text_to_video",
        InputMode::ImageToVideo => "image_to_video",
        InputMode::ReferenceToVideo => "reference_to_video",
        InputMode::VideoToVideo => "edit",
        InputMode::VideoExtend => "extend",
    }
}

/// What an interaction says; nothing if it is none.
pub fn read(interaction: &Value) -> Option<Said> {
    let status = text_at(interaction, "/status")?;
    Some(match status.as_str() {
        "queued" => Said::Progress(Progress::Queued),
        "completed" => match made(interaction) {
            Some(source) => Said::Made(source),
            None => Said::Progress(nothing(interaction)),
        },
        "failed" | "incomplete" | "requires_action" => {
            let error = interaction.get("error").unwrap_or(&Value::Null);
            Said::Progress(Progress::failed(verdict(error), format!("{status} {error}")))
        }
        "budget_exceeded" => Said::Progress(Progress::failed(FailureCode::Balance, status)),
        "cancelled" => Said::Progress(Progress::Canceled),
        _ => Said::Progress(Progress::Running { percent: None }),
    })
}

/// A file of theirs, or the video itself.
fn made(interaction: &Value) -> Option<Source> {
    let steps = interaction.get("steps")?.as_array()?.iter();
    let outputs = steps.filter(|step| text_at(step, "/type").as_deref() == Some("model_output"));
    let contents = outputs.filter_map(|step| step.get("content")?.as_array()).flatten();
    let mut videos = contents.filter(|content| text_at(content, "/type").as_deref() == Some("video"));
    videos.find_map(|video| match url_at(video, "/uri") {
        Some(uri) => Some(Source::Url(bytes_of(uri))),
        None => {
            BASE64_STANDARD.decode(text_at(video, "/data")?).ok().map(|bytes| Source::Bytes(bytes.into()))
        }
    })
}

/// The bytes of a file are an alternative form of it.
fn bytes_of(uri: String) -> String {
    let glue = if uri.contains('?') { '&' } else { '?' };
    if uri.contains("alt=media") { uri } else { format!("{uri}{glue}alt=media") }
}

/// Completed without a video: if none was ever made, it was held back.
fn nothing(interaction: &Value) -> Progress {
    match cost(interaction) {
        Some(cost) => Progress::Succeeded { clips: Vec::new(), cost: Some(cost) },
        None => Progress::failed(FailureCode::ModerationOutput, "completed without a video"),
    }
}

/// By the tokens of what was made. What was read costs a small part of it, and is not counted.
pub fn cost(interaction: &Value) -> Option<Cost> {
    let entries = interaction.pointer("/usage/output_tokens_by_modality").and_then(Value::as_array);
    let is_video =
        |entry: &&Value| text_at(entry, "/modality").is_some_and(|kind| kind.eq_ignore_ascii_case("video"));
    let tokens = |entry: &Value| int_at(entry, "/tokens").or_else(|| int_at(entry, "/token_count"));
    let tokens: i64 = entries.into_iter().flatten().filter(is_video).filter_map(tokens).sum();
    u64::try_from(tokens).ok().filter(|tokens| *tokens > 0).map(Cost::Tokens)
}
