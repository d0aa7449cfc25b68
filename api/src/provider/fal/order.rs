//! From a submission to a model's input: each family of endpoints has words of its own.

use serde_json::{Map, Value, json};

use crate::provider::Submission;
use crate::video::catalog::InputMode;
use crate::video::request::MediaRole;

/// What the endpoints of a family call things. What has no name there can't be asked for.
struct Family {
    /// What their ids start with.
    prefix: &'static str,
    length: Length,
    picture: Picture,
    /// Whether pictures are cropped to a ratio; else they have their own.
    frames_pictures: bool,
    /// Whether sound can be switched; else there always is some.
    switches_sound: bool,
    media: &'static [(MediaRole, &'static str)],
    takes: &'static [&'static str],
}

/// How seconds are written.
enum Length {
    /// `5`
    Number,
    /// `"5"`
    Text,
    /// `"5s"`
    WithUnit,
}

/// Where the resolution is.
enum Picture {
    Field,
    /// In the endpoint's id, as one of these segments.
    Segment(&'static [(&'static str, &'static str)]),
}

const NEGATIVE_PROMPT: &str = "negative_prompt";
const SEED: &str = "seed";
const CFG_SCALE: &str = "cfg_scale";

const FAMILIES: &[Family] = &[
    Family {
        prefix: "fal-ai/sora-2/",
        length: Length::Number,
        picture: Picture::Field,
        frames_pictures: true,
        switches_sound: false,
        media: &[(MediaRole::FirstFrame, "image_url")],
        takes: &[],
    },
    Family {
        prefix: "fal-ai/wan/v2.7/",
        length: Length::Number,
        picture: Picture::Field,
        frames_pictures: false,
        switches_sound: false,
        media: &[
            (MediaRole::FirstFrame, "image_url"),
            (MediaRole::LastFrame, "end_image_url"),
            (MediaRole::Audio, "audio_url"),
        ],
        takes: &[NEGATIVE_PROMPT, SEED],
    },
    Family {
        prefix: "fal-ai/kling-video/v3/",
        length: Length::Text,
        picture: Picture::Segment(&[("standard", "720p"), ("pro", "1080p"), ("4k", "4k")]),
        frames_pictures: false,
        switches_sound: true,
        media: &[(MediaRole::FirstFrame, "start_image_url"), (MediaRole::LastFrame, "end_image_url")],
        takes: &[NEGATIVE_PROMPT, CFG_SCALE],
    },
    Family {
        prefix: "fal-ai/veo3.1",
        length: Length::WithUnit,
        picture: Picture::Field,
        frames_pictures: true,
        switches_sound: true,
        media: &[(MediaRole::FirstFrame, "image_url")],
        takes: &[NEGATIVE_PROMPT, SEED],
    },
];

/// A model's input, or why there is none.
pub fn input(submission: &Submission) -> Result<Value, &'static str> {
    let is_of = |family: &&Family| submission.native_id.starts_with(family.prefix);
    let family = FAMILIES.iter().find(is_of).ok_or("no fields of this endpoint are known")?;
    if let Some(reason) = beyond(family, submission) {
        return Err(reason);
    }
    let mut input = Map::new();
    let mut put = |name: &str, value: Value| input.insert(name.to_owned(), value);
    put("prompt", json!(submission.prompt));
    put("duration", length(&family.length, submission.duration_s));
    if matches!(family.picture, Picture::Field) {
        put("resolution", json!(submission.resolution));
    }
    if has_ratio(family, submission) {
        put("aspect_ratio", json!(submission.aspect_ratio));
    }
    if family.switches_sound {
        put("generate_audio", json!(submission.audio));
    }
    for (role, name) in family.media {
        if let Some(medium) = submission.one(*role) {
            put(name, json!(medium.url));
        }
    }
    if let Some(text) = &submission.negative_prompt {
        put(NEGATIVE_PROMPT, json!(text));
    }
    if let Some(seed) = submission.seed {
        put(SEED, json!(seed));
    }
    for (name, value) in submission.options.iter().filter(|(name, _)| family.takes.contains(&name.as_str())) {
        put(name, value.clone());
    }
    for (name, value) in &submission.extra {
        input.entry(name.as_str()).or_insert_with(|| value.clone());
    }
    Ok(Value::Object(input))
}

fn length(length: &Length, seconds: u32) -> Value {
    match length {
        Length::Number => json!(seconds),
        Length::Text => json!(seconds.to_string()),
        Length::WithUnit => json!(format!("{seconds}s")),
    }
}

fn has_ratio(family: &Family, submission: &Submission) -> bool {
    family.frames_pictures || !is_of_pictures(&submission.native_id)
}

/// What a family has no words for.
fn beyond(family: &Family, submission: &Submission) -> Option<&'static str> {
    let is_meant = match submission.mode {
        InputMode::TextToVideo => !is_of_pictures(&submission.native_id),
        InputMode::ImageToVideo => is_of_pictures(&submission.native_id),
        InputMode::ReferenceToVideo | InputMode::VideoToVideo | InputMode::VideoExtend => false,
    };
    let is_auto = submission.aspect_ratio == "auto";
    let takes = |name: &str| family.takes.contains(&name);
    let lacks = |name: &str, value: &Value| !takes(name) && *value != Value::Bool(false);
    let has_name = |role| family.media.iter().any(|(named, _)| *named == role);
    let broken = [
        (!is_meant, "the endpoint is of another mode"),
        (!is_of_resolution(family, submission), "the endpoint is of another resolution"),
        (!has_ratio(family, submission) && !is_auto, "a picture keeps its ratio"),
        (is_auto && !is_of_pictures(&submission.native_id), "a text has no ratio of its own"),
        (!family.switches_sound && !submission.audio, "there always is sound"),
        (submission.media.iter().any(|medium| !has_name(medium.role)), "there is no place for such a file"),
        (submission.negative_prompt.is_some() && !takes(NEGATIVE_PROMPT), "there are no negative prompts"),
        (submission.seed.is_some() && !takes(SEED), "there are no seeds"),
        (submission.options.iter().any(|(name, value)| lacks(name, value)), "there is no such option"),
    ];
    broken.into_iter().find_map(|(is_broken, reason)| is_broken.then_some(reason))
}

fn is_of_resolution(family: &Family, submission: &Submission) -> bool {
    let Picture::Segment(segments) = family.picture else { return true };
    let made = segments.iter().find(|(name, _)| submission.native_id.split('/').any(|part| part == *name));
    made.is_some_and(|(_, resolution)| *resolution == submission.resolution)
}

fn is_of_pictures(endpoint: &str) -> bool {
    endpoint.split('/').any(|part| part == "image-to-video")
}
