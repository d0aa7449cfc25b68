//! What is sent: OpenAI's own few fields, or the wider set of the gateways.

use serde_json::{Value, json};

use super::metadata::metadata;
use crate::provider::Submission;
use crate::video::catalog::InputMode;
use crate::video::request::MediaRole;

/// A path and a body, or why the route can't express it.
pub type Order = Result<(String, Value), &'static str>;

/// OpenAI's fields. Videos that are edited or extended are its own: `instance` is who must have made them.
pub fn own(submission: &Submission, instance: &str) -> Order {
    let seconds = submission.duration_s.to_string();
    match submission.mode {
        InputMode::TextToVideo | InputMode::ImageToVideo => {}
        InputMode::VideoToVideo => {
            let video = json!({ "id": source(submission, instance)? });
            return Ok(("videos/edits".to_owned(), json!({ "video": video, "prompt": submission.prompt })));
        }
        InputMode::VideoExtend => {
            let video = json!({ "id": source(submission, instance)? });
            let body = json!({ "video": video, "prompt": submission.prompt, "seconds": seconds });
            return Ok(("videos/extensions".to_owned(), body));
        }
        InputMode::ReferenceToVideo => return Err("there are no references"),
    }
    let mut body = json!({
        "model": submission.native_id,
        "prompt": submission.prompt,
        "seconds": seconds,
        "size": size(submission),
    });
    if let Some(image) = submission.one(MediaRole::FirstFrame) {
        body["input_reference"] = json!({ "image_url": image.url });
    }
    Ok(("videos".to_owned(), body))
}

fn source<'a>(submission: &'a Submission, instance: &str) -> Result<&'a str, &'static str> {
    let made_by = submission.one(MediaRole::SourceVideo).and_then(|video| video.made_by.as_ref());
    let ours = made_by.filter(|made_by| made_by.provider == instance);
    ours.map(|made_by| made_by.id.0.as_str()).ok_or("only what was made there can be gone on with")
}

fn size(submission: &Submission) -> String {
    format!("{}x{}", submission.width, submission.height)
}

/// The fields of the gateways. What one of them does not know it leaves aside, so each wish is said in the words that are
/// understood most widely.
pub fn wide(submission: &Submission) -> Order {
    let mut body = json!({
        "model": submission.native_id,
        "prompt": submission.prompt,
        "mode": mode(submission)?,
        "seconds": submission.duration_s.to_string(),
        "duration": submission.duration_s,
        "resolution": submission.resolution,
    });
    if submission.aspect_ratio != "auto" {
        body["size"] = json!(size(submission));
        body["aspect_ratio"] = json!(submission.aspect_ratio);
    }
    media(&mut body, submission);
    if has_sound(submission) {
        body["sound"] = json!(if submission.audio { "on" } else { "off" });
    }
    if let Some(negative) = &submission.negative_prompt {
        body["negative_prompt"] = json!(negative);
    }
    if let Some(seed) = submission.seed {
        body["seed"] = json!(seed);
    }
    for (name, value) in &submission.options {
        let (name, value) = match name.as_str() {
            "cfg_scale" | "camera_control" => (name.as_str(), value.clone()),
            "watermark" => ("watermark_info", json!({ "enabled": value })),
            _ => return Err("an option that gateways have no field for"),
        };
        body[name] = value;
    }
    if let Some(url) = &submission.callback_url {
        body["callback_url"] = json!(url);
    }
    body["external_task_id"] = json!(submission.submit_key);
    if let Some(metadata) = metadata(submission) {
        body["metadata"] = metadata;
    }
    for (name, value) in &submission.extra {
        if body.get(name).is_none() {
            body[name.as_str()] = value.clone();
        }
    }
    Ok(("videos".to_owned(), body))
}

/// Whether there is a switch for it. The others' makers decide.
pub(super) fn has_sound(submission: &Submission) -> bool {
    matches!(submission.native_id.as_str(), "kling-v2-6" | "kling-v3" | "kling-video")
}

fn media(body: &mut Value, submission: &Submission) {
    if let Some(first) = submission.one(MediaRole::FirstFrame) {
        body["image"] = json!(first.url);
    }
    if let Some(last) = submission.one(MediaRole::LastFrame) {
        body["last_image_url"] = json!(last.url);
    }
    let lists: [(&str, &[MediaRole]); 3] = [
        ("reference_images", &[MediaRole::ReferenceImage]),
        ("video_urls", &[MediaRole::SourceVideo, MediaRole::ReferenceVideo]),
        ("audio_urls", &[MediaRole::Audio]),
    ];
    for (name, roles) in lists {
        let urls: Vec<&str> = roles.iter().flat_map(|role| submission.urls(*role)).collect();
        if !urls.is_empty() {
            body[name] = json!(urls);
        }
    }
}

/// The word of the resellers for what a clip is made from.
fn mode(submission: &Submission) -> Result<&'static str, &'static str> {
    let has = |role| submission.one(role).is_some();
    Ok(match submission.mode {
        InputMode::TextToVideo => "t2v",
        InputMode::ImageToVideo if has(MediaRole::LastFrame) => "i2v_first_last",
        InputMode::ImageToVideo => "i2v",
        InputMode::ReferenceToVideo if has(MediaRole::ReferenceVideo) || has(MediaRole::Audio) => {
            "reference_material"
        }
        InputMode::ReferenceToVideo => "reference_images",
        InputMode::VideoToVideo => "edit",
        InputMode::VideoExtend => return Err("gateways have no word for extending"),
    })
}
