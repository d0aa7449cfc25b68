//! From a submission to a model's input. Every model has fields of its own; those of others are not known here.

use serde_json::{Map, Value, json};

use crate::provider::Submission;
use crate::video::catalog::InputMode;
use crate::video::request::MediaRole;

/// Makes 1080p without sound.
const KLING_TURBO: &str = "kwaivgi/kling-v2.5-turbo-pro";

const FRAMES: [(MediaRole, &str); 2] =
    [(MediaRole::FirstFrame, "start_image"), (MediaRole::LastFrame, "end_image")];

/// A model's input, or why there is none.
pub fn input(submission: &Submission) -> Result<Value, &'static str> {
    let model = submission.native_id.split(':').next().unwrap_or_default();
    if model != KLING_TURBO {
        return Err("no fields of this model are known");
    }
    if let Some(reason) = beyond(submission) {
        return Err(reason);
    }
    let mut input = Map::new();
    let mut put = |name: &str, value: Value| input.insert(name.to_owned(), value);
    put("prompt", json!(submission.prompt));
    put("duration", json!(submission.duration_s));
    if submission.mode == InputMode::TextToVideo {
        put("aspect_ratio", json!(submission.aspect_ratio));
    }
    for (role, name) in FRAMES {
        if let Some(medium) = submission.one(role) {
            put(name, json!(medium.url));
        }
    }
    if let Some(text) = &submission.negative_prompt {
        put("negative_prompt", json!(text));
    }
    for (name, value) in &submission.extra {
        input.entry(name.as_str()).or_insert_with(|| value.clone());
    }
    Ok(Value::Object(input))
}

/// What the model has no words for there, although it may elsewhere.
fn beyond(submission: &Submission) -> Option<&'static str> {
    let is_frame = |role| FRAMES.iter().any(|(frame, _)| *frame == role);
    let is_text = submission.mode == InputMode::TextToVideo;
    let is_auto = submission.aspect_ratio == "auto";
    let has_first = submission.one(MediaRole::FirstFrame).is_some();
    let broken = [
        (!is_text && submission.mode != InputMode::ImageToVideo, "clips are made from texts and pictures"),
        (!is_text && !has_first, "there is no first frame"),
        (
            submission.media.iter().any(|medium| is_text || !is_frame(medium.role)),
            "there is no place for such a file",
        ),
        (![5, 10].contains(&submission.duration_s), "clips have 5 s or 10 s"),
        (submission.resolution != "1080p", "clips have 1080p"),
        (
            is_text && !["16:9", "9:16", "1:1"].contains(&&*submission.aspect_ratio),
            "there is no such aspect ratio",
        ),
        (!is_text && !is_auto, "a picture keeps its ratio"),
        (submission.audio, "there is no sound"),
        (submission.seed.is_some(), "there are no seeds"),
        (submission.options.values().any(|value| *value != Value::Bool(false)), "there is no such option"),
    ];
    broken.into_iter().find_map(|(is_broken, reason)| is_broken.then_some(reason))
}
