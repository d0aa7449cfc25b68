//! `/v1`: Hailuo 02 and 2.3, and the models before them. A success names a file; only a second question tells its address.

use serde_json::{Value, json};

use super::refusal;
use crate::provider::json::{int_at, text_at};
use crate::provider::wire::Reply;
use crate::provider::{Progress, ProviderError, Submission};
use crate::video::catalog::InputMode;
use crate::video::request::MediaRole;

/// The longest prompt, in characters.
const PROMPT_MAX: usize = 2_000;

/// What a question came to.
pub enum Said {
    Progress(Progress),
    /// Made: the id of its file, if it names one.
    File(Option<String>),
}

/// The body of a submission, or why it can't be one.
pub fn body(submission: &Submission) -> Result<Value, &'static str> {
    if let Some(reason) = beyond(submission) {
        return Err(reason);
    }
    let mut body = json!({
        "model": submission.native_id,
        "prompt": submission.prompt,
        "duration": submission.duration_s,
        "resolution": submission.resolution.to_uppercase(),
    });
    for medium in &submission.media {
        match medium.role {
            MediaRole::FirstFrame => body["first_frame_image"] = json!(medium.url),
            MediaRole::LastFrame => body["last_frame_image"] = json!(medium.url),
            MediaRole::ReferenceImage if submission.native_id.starts_with("S2V") => {
                body["subject_reference"] = json!([{ "type": "character", "image": [medium.url] }]);
            }
            _ => return Err("there is no field for such a file"),
        }
    }
    super::common(&mut body, submission);
    Ok(body)
}

/// What the models don't make, although they make each part of it.
fn beyond(submission: &Submission) -> Option<&'static str> {
    let is_text = submission.mode == InputMode::TextToVideo;
    let has_last = submission.one(MediaRole::LastFrame).is_some();
    match (submission.resolution.as_str(), submission.duration_s) {
        _ if submission.prompt.chars().count() > PROMPT_MAX => Some("prompts have 2000 characters at most"),
        ("1080p", 7..) => Some("1080P has 6 s"),
        ("512p", _) if is_text => Some("512P needs a first frame"),
        ("512p", _) if has_last => Some("512P takes no last frame"),
        _ if has_last && submission.native_id != "MiniMax-Hailuo-02" => {
            Some("only Hailuo 02 takes a last frame")
        }
        _ if submission.all(MediaRole::ReferenceImage).count() > 1 => Some("there is one subject"),
        _ => None,
    }
}

pub fn read(reply: &Reply) -> Result<Said, ProviderError> {
    let answer = reply.json()?;
    let status = text_at(&answer, "/status").map(|status| status.to_lowercase());
    // The reason of a failure is the code of its envelope.
    if reply.is_success() && matches!(status.as_deref(), Some("fail" | "failed")) {
        let code = int_at(&answer, "/base_resp/status_code");
        return refusal::failed(code, &reply.excerpt()).map(Said::Progress);
    }
    let answer = refusal::judged(reply)?;
    Ok(match status.as_deref() {
        Some("success") => Said::File(text_at(&answer, "/file_id")),
        Some("preparing" | "queueing") => Said::Progress(Progress::Queued),
        Some(_) => Said::Progress(Progress::Running { percent: None }),
        None => return Err(ProviderError::Broken(reply.excerpt())),
    })
}
