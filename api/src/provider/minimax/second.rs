//! `/v2`: H3, which is given its parts as a list with roles.

use serde_json::{Value, json};

use super::refusal;
use crate::provider::json::{first_text, int_at, text_at, url_at};
use crate::provider::{Cost, Progress, ProviderError, Submission, SubmissionMedia};
use crate::video::catalog::InputMode;
use crate::video::request::MediaRole;

/// The shortest clip that all sources agree about, in seconds.
const SHORTEST_S: u32 = 5;

/// The body of a submission, or why it can't be one.
pub fn body(submission: &Submission) -> Result<Value, &'static str> {
    if let Some(reason) = beyond(submission) {
        return Err(reason);
    }
    let mut content = vec![json!({ "type": "text", "text": submission.prompt })];
    for medium in &submission.media {
        content.push(part(medium)?);
    }
    let ratio = match submission.aspect_ratio.as_str() {
        "auto" => "adaptive",
        ratio => ratio,
    };
    let mut body = json!({
        "model": submission.native_id,
        "content": content,
        "resolution": submission.resolution.to_uppercase(),
        "duration": submission.duration_s,
        "ratio": ratio,
    });
    super::common(&mut body, submission);
    Ok(body)
}

fn beyond(submission: &Submission) -> Option<&'static str> {
    let has_sound = submission.one(MediaRole::Audio).is_some();
    match submission.mode {
        _ if submission.duration_s < SHORTEST_S => Some("clips have 5 s at least"),
        InputMode::TextToVideo if submission.aspect_ratio == "auto" => Some("a text has no shape of its own"),
        InputMode::ReferenceToVideo => None,
        _ if has_sound => Some("sounds go beside references only"),
        _ => None,
    }
}

fn part(medium: &SubmissionMedia) -> Result<Value, &'static str> {
    let (kind, role) = match medium.role {
        MediaRole::FirstFrame => ("image_url", "first_frame"),
        MediaRole::LastFrame => ("image_url", "last_frame"),
        MediaRole::ReferenceImage => ("image_url", "reference_image"),
        MediaRole::ReferenceVideo => ("video_url", "reference_video"),
        MediaRole::Audio => ("audio_url", "reference_audio"),
        MediaRole::SourceVideo => return Err("it edits no videos"),
    };
    Ok(json!({ "type": kind, kind: { "url": medium.url }, "role": role }))
}

pub fn progress(answer: &Value, submission: &Submission) -> Result<Progress, ProviderError> {
    let status = text_at(answer, "/task/status").ok_or_else(|| ProviderError::Broken(answer.to_string()))?;
    Ok(match status.as_str() {
        "queued" => Progress::Queued,
        "succeeded" => match url_at(answer, "/task/content/url") {
            Some(url) => {
                let cost = Cost::seconds(answer, "/task/usage/total_seconds", submission);
                Progress::delivered(submission, url, cost)
            }
            None => Progress::Succeeded { clips: Vec::new(), cost: None },
        },
        "failed" => return failed(answer),
        "cancelled" => Progress::Canceled,
        "expired" => Progress::failed(crate::provider::FailureCode::Expired, "expired"),
        _ => Progress::Running { percent: None },
    })
}

fn failed(answer: &Value) -> Result<Progress, ProviderError> {
    let reason = first_text(answer, &["/task/error/message", "/task/error"]).unwrap_or_default();
    let code = int_at(answer, "/task/error/code").or_else(|| refusal::bracketed(&reason));
    let told = code.map(|code| format!("{code} ")).unwrap_or_default();
    refusal::failed(code, &format!("{told}{reason}"))
}
