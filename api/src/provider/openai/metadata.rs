//! What new-api itself hands on to a vendor: it reads few fields beside `metadata`, whose members it lays over the body that it
//! sends there. So what was priced is said in the vendor's own words too. Facts from new-api's source, 2026.

use serde_json::{Map, Value, json};

use crate::provider::{Submission, ark, kling};
use crate::video::catalog::InputMode;
use crate::video::request::MediaRole;

/// The vendor's own words for a submission; none for the names that resellers coined.
pub fn metadata(submission: &Submission) -> Option<Value> {
    let mut words = match submission.native_id.split(['-', '_']).next()? {
        "kling" => for_kling(submission),
        "doubao" => for_seedance(submission),
        "jimeng" => for_jimeng(submission),
        "viduq3" => for_vidu(submission),
        "happyhorse" => for_happyhorse(submission),
        _ => return None,
    };
    words.retain(|_, value| !value.is_null());
    Some(Value::Object(words))
}

type Words = Map<String, Value>;

fn words<const N: usize>(words: [(&str, Value); N]) -> Words {
    words.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// `mode` is the size here; beside `metadata` it is what a clip is made from.
fn for_kling(submission: &Submission) -> Words {
    let sound = super::body::has_sound(submission).then_some(if submission.audio { "on" } else { "off" });
    words([
        ("mode", json!(kling::mode(submission).ok())),
        ("aspect_ratio", json!(shape(submission))),
        ("image_tail", json!(one(submission, MediaRole::LastFrame))),
        ("negative_prompt", json!(submission.negative_prompt)),
        ("sound", json!(sound)),
        ("cfg_scale", json!(submission.options.get("cfg_scale"))),
        ("camera_control", json!(submission.options.get("camera_control"))),
        ("watermark_info", json!(watermark(submission).then(|| json!({ "enabled": true })))),
    ])
}

/// `content` replaces what new-api makes of the pictures, which has no roles. The prompt comes from beside it.
fn for_seedance(submission: &Submission) -> Words {
    let parts = ark::parts(submission);
    let has_sound = !submission.native_id.starts_with("doubao-seedance-1-0");
    words([
        ("content", json!((!parts.is_empty()).then_some(parts))),
        ("resolution", json!(submission.resolution)),
        ("ratio", json!(shape(submission).unwrap_or("adaptive"))),
        ("generate_audio", json!(has_sound.then_some(submission.audio))),
        ("seed", json!(submission.seed)),
        ("watermark", json!(watermark(submission))),
    ])
}

/// The size is part of the name, and the length comes from beside it.
fn for_jimeng(submission: &Submission) -> Words {
    words([
        ("aspect_ratio", json!(shape(submission))),
        ("image_urls", json!(frames(submission))),
        ("seed", json!(submission.seed)),
    ])
}

/// `action` chooses the kind of work, which is guessed from the number of pictures without it.
fn for_vidu(submission: &Submission) -> Words {
    let has = |role| one(submission, role).is_some();
    let action = match submission.mode {
        InputMode::ImageToVideo if has(MediaRole::LastFrame) => "firstTailGenerate",
        InputMode::ImageToVideo => "generate",
        _ => "textGenerate",
    };
    words([
        ("action", json!(action)),
        ("images", json!(frames(submission))),
        ("resolution", json!(submission.resolution)),
        ("aspect_ratio", json!(shape(submission))),
        ("audio", json!(submission.audio)),
        ("seed", json!(submission.seed)),
        ("watermark", json!(watermark(submission))),
    ])
}

/// Some versions lay `metadata` over the whole body, others read its members one by one.
fn for_happyhorse(submission: &Submission) -> Words {
    words([
        ("parameters", json!({ "resolution": submission.resolution.to_uppercase() })),
        ("ratio", json!(shape(submission))),
        ("seed", json!(submission.seed)),
        ("watermark", json!(watermark(submission))),
    ])
}

fn shape(submission: &Submission) -> Option<&str> {
    (submission.aspect_ratio != "auto").then_some(submission.aspect_ratio.as_str())
}

fn one(submission: &Submission, role: MediaRole) -> Option<&str> {
    submission.one(role).map(|medium| medium.url.as_str())
}

fn frames(submission: &Submission) -> Option<Vec<&str>> {
    let frames = [MediaRole::FirstFrame, MediaRole::LastFrame].map(|role| one(submission, role));
    let frames: Vec<&str> = frames.into_iter().flatten().collect();
    (!frames.is_empty()).then_some(frames)
}

fn watermark(submission: &Submission) -> bool {
    submission.options.get("watermark") == Some(&Value::Bool(true))
}
