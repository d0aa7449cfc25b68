//! Veo, by both of Google's doors: what is sent and what an operation says.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::files::{inline, too_large};
use super::refusal::verdict;
use crate::provider::json::{first_text, text_at, url_at};
use crate::provider::{FailureCode, Progress, ProviderError, Submission, SubmissionMedia};
use crate::video::catalog::InputMode;
use crate::video::request::MediaRole;

/// What an operation says.
pub enum Said {
    Progress(Progress),
    Made(Source),
}

/// Where a clip is, or the clip itself.
pub enum Source {
    Url(String),
    Bytes(Bytes),
}

/// What needs 8 seconds there.
const WHOLE_S: u32 = 8;

/// The body of a submission. Vertex takes a seed and is told whether there is sound.
pub async fn body(submission: &Submission, is_vertex: bool) -> Result<Value, ProviderError> {
    if let Some(reason) = beyond(submission).or_else(|| too_large(submission)) {
        return Err(ProviderError::refused(FailureCode::Unsupported, reason, None));
    }
    let mut instance = Map::new();
    instance.insert("prompt".into(), json!(submission.prompt));
    for (role, field) in [(MediaRole::FirstFrame, "image"), (MediaRole::LastFrame, "lastFrame")] {
        if let Some(medium) = submission.one(role) {
            instance.insert(field.into(), image(medium).await?);
        }
    }
    let mut references = Vec::new();
    for medium in submission.all(MediaRole::ReferenceImage) {
        references.push(json!({ "image": image(medium).await?, "referenceType": "asset" }));
    }
    if !references.is_empty() {
        instance.insert("referenceImages".into(), json!(references));
    }
    Ok(json!({ "instances": [instance], "parameters": parameters(submission, is_vertex) }))
}

fn beyond(submission: &Submission) -> Option<&'static str> {
    let is_large = matches!(submission.resolution.as_str(), "1080p" | "4k");
    let is_guided =
        submission.mode == InputMode::ReferenceToVideo || submission.one(MediaRole::LastFrame).is_some();
    match submission.mode {
        InputMode::VideoToVideo | InputMode::VideoExtend => Some("a video can't be gone on with"),
        _ if (is_large || is_guided) && submission.duration_s != WHOLE_S => Some("this needs 8 s"),
        _ => None,
    }
}

async fn image(medium: &SubmissionMedia) -> Result<Value, ProviderError> {
    let (kind, bytes) = inline(medium).await?;
    Ok(json!({ "bytesBase64Encoded": bytes, "mimeType": kind }))
}

fn parameters(submission: &Submission, is_vertex: bool) -> Value {
    let mut parameters = Map::new();
    let mut set = |name: &str, value: Value| parameters.insert(name.to_owned(), value);
    if submission.aspect_ratio != "auto" {
        set("aspectRatio", json!(submission.aspect_ratio));
    }
    set("resolution", json!(submission.resolution));
    set("durationSeconds", json!(submission.duration_s));
    set("sampleCount", json!(1));
    if let Some(negative) = &submission.negative_prompt {
        set("negativePrompt", json!(negative));
    }
    if is_vertex {
        set("generateAudio", json!(submission.audio));
        submission.seed.map(|seed| set("seed", json!(seed)));
    }
    for (name, value) in &submission.extra {
        parameters.entry(name.clone()).or_insert_with(|| value.clone());
    }
    Value::Object(parameters)
}

/// What an operation says; nothing if it is none.
pub fn read(operation: &Value) -> Option<Said> {
    text_at(operation, "/name")?;
    if operation.get("done") != Some(&Value::Bool(true)) {
        let percent = crate::provider::json::percent_at(operation, "/metadata/progressPercent");
        return Some(Said::Progress(Progress::Running { percent }));
    }
    if let Some(error) = operation.get("error") {
        return Some(Said::Progress(Progress::failed(verdict(error), error.to_string())));
    }
    let response = operation.get("response")?;
    let made = made(response).map(Said::Made);
    Some(made.unwrap_or_else(|| Said::Progress(nothing(response))))
}

fn made(response: &Value) -> Option<Source> {
    let inner = response.get("generateVideoResponse").unwrap_or(response);
    let urls = ["/generatedSamples/0/video/uri", "/generatedVideos/0/video/uri", "/videos/0/uri"];
    if let Some(url) = urls.iter().find_map(|path| url_at(inner, path)) {
        return Some(Source::Url(url));
    }
    let bytes =
        first_text(inner, &["/videos/0/bytesBase64Encoded", "/generatedSamples/0/video/encodedVideo"])?;
    BASE64_STANDARD.decode(bytes).ok().map(|bytes| Source::Bytes(bytes.into()))
}

/// Done without a clip: what was filtered is said to be so, and is not billed.
fn nothing(response: &Value) -> Progress {
    let inner = response.get("generateVideoResponse").unwrap_or(response);
    let filtered = crate::provider::json::int_at(inner, "/raiMediaFilteredCount").unwrap_or(0);
    let reasons = inner.get("raiMediaFilteredReasons").map(Value::to_string).unwrap_or_default();
    match filtered {
        0 => Progress::Succeeded { clips: Vec::new(), cost: None },
        _ => Progress::failed(FailureCode::ModerationOutput, reasons),
    }
}
