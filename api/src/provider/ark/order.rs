//! From a submission to the body that Ark is sent.

use serde_json::{Map, Value, json};

use crate::provider::Submission;
use crate::video::catalog::InputMode;
use crate::video::request::MediaRole;

/// The member by which a task is known as ours.
pub(super) const MARK: &str = "safety_identifier";

const AUTO: &str = "auto";
const RATIOS: [&str; 7] = ["16:9", "4:3", "1:1", "3:4", "9:16", "21:9", AUTO];
const RESOLUTIONS: [&str; 4] = ["480p", "720p", "1080p", "4k"];
const OPTIONS: [&str; 1] = ["watermark"];

/// The parts of a request that media become, in the order in which prompts count them ("image 1").
const PARTS: [(MediaRole, &str, &str); 6] = [
    (MediaRole::FirstFrame, "image_url", "first_frame"),
    (MediaRole::LastFrame, "image_url", "last_frame"),
    (MediaRole::ReferenceImage, "image_url", "reference_image"),
    (MediaRole::SourceVideo, "video_url", "reference_video"),
    (MediaRole::ReferenceVideo, "video_url", "reference_video"),
    (MediaRole::Audio, "audio_url", "reference_audio"),
];

/// The body, or why there is none.
pub(super) fn body(submission: &Submission, marks: bool) -> Result<Value, &'static str> {
    if let Some(reason) = beyond(submission) {
        return Err(reason);
    }
    let content = content(submission);
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
    put("model", json!(submission.native_id));
    put("content", Value::from(content));
    put("resolution", json!(submission.resolution));
    put("ratio", json!(ratio(submission)));
    put("duration", json!(submission.duration_s));
    if let Some(seed) = submission.seed {
        put("seed", json!(seed));
    }
    put("watermark", json!(submission.options.get("watermark") == Some(&Value::Bool(true))));
    // The first generation has no sound, and refuses what it doesn't know.
    if !is_first_generation(submission) {
        put("generate_audio", json!(submission.audio));
    }
    if let Some(url) = &submission.callback_url {
        put("callback_url", json!(url));
    }
    if is_marked(submission, marks) {
        put(MARK, json!(submission.submit_key));
    }
    for (name, value) in &submission.extra {
        body.entry(name.as_str()).or_insert_with(|| value.clone());
    }
    Ok(Value::Object(body))
}

/// Whether a submission carries our mark. What the customer writes there takes its place.
pub(super) fn is_marked(submission: &Submission, marks: bool) -> bool {
    marks && !submission.extra.contains_key(MARK)
}

/// What they don't make, although the model can elsewhere or in other modes.
fn beyond(submission: &Submission) -> Option<&'static str> {
    let keeps_ratio = submission.aspect_ratio == AUTO;
    let has = |role| submission.one(role).is_some();
    let lone_video =
        submission.all(MediaRole::ReferenceVideo).count() == 1 && !has(MediaRole::ReferenceImage);
    let is_1080p = submission.resolution == "1080p";
    let without_references = matches!(submission.mode, InputMode::TextToVideo | InputMode::ImageToVideo);
    let broken = [
        (!RATIOS.contains(&&*submission.aspect_ratio), "there is no such aspect ratio"),
        (!RESOLUTIONS.contains(&&*submission.resolution), "there is no such resolution"),
        (submission.negative_prompt.is_some(), "there are no negative prompts"),
        (submission.options.keys().any(|name| !OPTIONS.contains(&&**name)), "there is no such option"),
        (without_references && has(MediaRole::Audio), "sounds only go with reference pictures or videos"),
    ];
    let of_mode = match submission.mode {
        // Taken for an extension, which has the picture of its source.
        InputMode::ReferenceToVideo if lone_video && !keeps_ratio => {
            Some("a lone video keeps its aspect ratio")
        }
        InputMode::ReferenceToVideo if is_first_generation(submission) && is_1080p => {
            Some("there is no 1080p from references")
        }
        InputMode::ImageToVideo if is_2_5(submission) && !keeps_ratio => {
            Some("a frame keeps its aspect ratio")
        }
        // A length can't be given, and the source's is not what was priced.
        InputMode::VideoToVideo if is_2_5(submission) => Some("an edit has the length of its source"),
        _ => None,
    };
    broken.into_iter().find_map(|(is_broken, reason)| is_broken.then_some(reason)).or(of_mode)
}

fn content(submission: &Submission) -> Vec<Value> {
    let prompt = &submission.prompt;
    let text = (!prompt.is_empty()).then(|| json!({ "type": "text", "text": prompt }));
    text.into_iter().chain(parts(submission)).collect()
}

/// The media of a request, each with its role.
pub(in crate::provider) fn parts(submission: &Submission) -> Vec<Value> {
    let media = PARTS.into_iter().flat_map(|(role, kind, name)| {
        submission.all(role).map(move |medium| {
            let mut part = json!({ "type": kind });
            part[kind] = json!({ "url": medium.url });
            part["role"] = json!(name);
            part
        })
    });
    media.collect()
}

/// Edits and extensions take their picture from the video that they start with.
fn ratio(submission: &Submission) -> &str {
    const ADAPTIVE: &str = "adaptive";
    let mode = submission.mode;
    if matches!(mode, InputMode::VideoToVideo | InputMode::VideoExtend) {
        return ADAPTIVE;
    }
    match submission.aspect_ratio.as_str() {
        // The first generation follows nothing but frames; this is its own default, and what was priced.
        AUTO if is_first_generation(submission) && mode != InputMode::ImageToVideo => "16:9",
        AUTO => ADAPTIVE,
        ratio => ratio,
    }
}

fn is_first_generation(submission: &Submission) -> bool {
    submission.native_id.contains("seedance-1-0")
}

fn is_2_5(submission: &Submission) -> bool {
    submission.native_id.contains("seedance-2-5")
}
