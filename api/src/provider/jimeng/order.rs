//! From a submission to the body that Jimeng is sent.

use serde_json::{Map, Value, json};

use crate::provider::Submission;
use crate::video::catalog::InputMode;
use crate::video::request::MediaRole;

const FRAMES_A_SECOND: u32 = 24;
/// Seconds of the clips that there are.
const DURATIONS: [u32; 2] = [5, 10];
const RATIOS: [&str; 6] = ["16:9", "4:3", "1:1", "3:4", "9:16", "21:9"];

/// The model's kind of task. That for two pictures is another one if there is but one.
pub(super) fn req_key(submission: &Submission) -> String {
    match submission.one(MediaRole::LastFrame) {
        Some(_) => submission.native_id.clone(),
        None => submission.native_id.replace("_first_tail_", "_first_"),
    }
}

/// What they don't make, although the model can elsewhere.
pub(super) fn beyond(submission: &Submission) -> Option<&'static str> {
    let req_key = submission.native_id.as_str();
    let size = if req_key.contains("_1080") || req_key.ends_with("_pro") { "1080p" } else { "720p" };
    let has_last = submission.one(MediaRole::LastFrame).is_some();
    let from_text = submission.mode == InputMode::TextToVideo;
    let broken = [
        (!from_text && submission.mode != InputMode::ImageToVideo, "clips are made of texts and frames only"),
        (!DURATIONS.contains(&submission.duration_s), "clips have 5 or 10 s"),
        (submission.resolution != size, "the model has another resolution"),
        (from_text && !RATIOS.contains(&&*submission.aspect_ratio), "there is no such aspect ratio"),
        (submission.audio || submission.one(MediaRole::Audio).is_some(), "clips have no sound"),
        (has_last && !req_key.contains("_first_tail_"), "the model takes no last frame"),
        (submission.negative_prompt.is_some(), "there are no negative prompts"),
        (!submission.options.is_empty(), "there are no options"),
    ];
    broken.into_iter().find_map(|(is_broken, reason)| is_broken.then_some(reason))
}

/// The body, without what can be said only of a text if there is a picture.
pub(super) fn order(submission: &Submission, req_key: &str) -> Value {
    const ANY_SEED: i64 = -1;
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
    put("req_key", json!(req_key));
    if !submission.prompt.is_empty() {
        put("prompt", json!(submission.prompt));
    }
    let frames = [MediaRole::FirstFrame, MediaRole::LastFrame];
    let images: Vec<&str> = frames.into_iter().flat_map(|role| submission.urls(role)).collect();
    // A picture decides about the shape.
    if images.is_empty() {
        put("aspect_ratio", json!(submission.aspect_ratio));
    } else {
        put("image_urls", json!(images));
    }
    put("seed", json!(submission.seed.unwrap_or(ANY_SEED)));
    put("frames", json!(FRAMES_A_SECOND * submission.duration_s + 1));
    for (name, value) in &submission.extra {
        body.entry(name.as_str()).or_insert_with(|| value.clone());
    }
    Value::Object(body)
}
