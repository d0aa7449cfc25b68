//! The files that a clip is made from, in the fields of each generation.

use serde_json::{Map, Value, json};

use crate::provider::{Submission, SubmissionMedia};
use crate::video::catalog::InputMode;
use crate::video::request::MediaRole;

/// What is done with the files, where there is a choice.
pub const FUNCTION: &str = "function";
/// Pictures and videos together that Wan 2.7 takes as references.
const REFERENCES_MAX: usize = 5;

/// How a model is told what it works from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Files {
    /// At most `audio_url`.
    Sound,
    /// `media[]` with types.
    List,
    /// One picture in `img_url`.
    Picture,
    /// `reference_urls[]`.
    References,
    /// `first_frame_url` and `last_frame_url`.
    Frames,
    /// `ref_images_url[]`, with a function.
    Vace,
}

impl Files {
    /// What it has a field for. The types of a list depend on the mode.
    fn takes(self, role: MediaRole) -> bool {
        use MediaRole::{Audio, FirstFrame, LastFrame, ReferenceImage, ReferenceVideo, SourceVideo};
        match self {
            Files::Sound => role == Audio,
            Files::List => true,
            Files::Picture => matches!(role, FirstFrame | Audio),
            Files::References => matches!(role, SourceVideo | ReferenceVideo | ReferenceImage),
            Files::Frames => matches!(role, FirstFrame | LastFrame),
            Files::Vace => role == ReferenceImage,
        }
    }
}

/// The members of `input` for the files of a submission, or why there are none for them.
pub fn input(submission: &Submission, files: Files) -> Result<Map<String, Value>, &'static str> {
    if !submission.media.iter().all(|medium| files.takes(medium.role)) {
        return Err("there is no field for such a file");
    }
    let one = |role| submission.one(role).map(|medium| json!(medium.url));
    let needed = |role, missing| one(role).ok_or(missing);
    let mut input = Map::new();
    match files {
        Files::Sound => {}
        Files::List if submission.media.is_empty() => return Err("it works from files"),
        Files::List => {
            input.insert("media".into(), json!(list(submission)?));
            return Ok(input);
        }
        Files::Picture => {
            input.insert("img_url".into(), needed(MediaRole::FirstFrame, "it needs a first frame")?);
        }
        Files::References => {
            let roles = [MediaRole::SourceVideo, MediaRole::ReferenceVideo, MediaRole::ReferenceImage];
            let urls: Vec<&str> = roles.iter().flat_map(|role| submission.urls(*role)).collect();
            input.insert("reference_urls".into(), json!(urls));
        }
        Files::Frames => {
            input.insert("first_frame_url".into(), needed(MediaRole::FirstFrame, "it needs a first frame")?);
            input.insert("last_frame_url".into(), needed(MediaRole::LastFrame, "it needs a last frame")?);
        }
        Files::Vace => {
            let function = submission.extra.get(FUNCTION).cloned();
            input.insert(FUNCTION.into(), function.unwrap_or_else(|| json!("image_reference")));
            input.insert("ref_images_url".into(), json!(submission.urls(MediaRole::ReferenceImage)));
        }
    }
    if let Some(sound) = one(MediaRole::Audio) {
        input.insert("audio_url".into(), sound);
    }
    Ok(input)
}

/// `media[]`. A voice belongs to one of the references, a sound to frames.
fn list(submission: &Submission) -> Result<Vec<Value>, &'static str> {
    let seen = submission.media.iter().filter(|medium| medium.role != MediaRole::Audio);
    let mut list = seen.map(|medium| entry(submission.mode, medium)).collect::<Result<Vec<_>, _>>()?;
    if submission.native_id.starts_with("wan2.7-r2v") && list.len() > REFERENCES_MAX {
        return Err("it takes 5 references at most");
    }
    for (n, sound) in submission.urls(MediaRole::Audio).into_iter().enumerate() {
        match (submission.mode, list.get_mut(n)) {
            (InputMode::ImageToVideo, _) => list.push(json!({ "type": "driving_audio", "url": sound })),
            (InputMode::ReferenceToVideo, Some(reference)) => reference["reference_voice"] = json!(sound),
            (InputMode::ReferenceToVideo, None) => return Err("there are more voices than references"),
            _ => return Err("it takes no sound beside a video"),
        }
    }
    Ok(list)
}

fn entry(mode: InputMode, medium: &SubmissionMedia) -> Result<Value, &'static str> {
    let kind = match (mode, medium.role) {
        (InputMode::ImageToVideo, MediaRole::FirstFrame) => "first_frame",
        (InputMode::ImageToVideo, MediaRole::LastFrame) => "last_frame",
        (InputMode::VideoExtend, MediaRole::SourceVideo) => "first_clip",
        (InputMode::VideoToVideo, MediaRole::SourceVideo) => "video",
        (InputMode::VideoToVideo | InputMode::ReferenceToVideo, MediaRole::ReferenceImage) => {
            "reference_image"
        }
        (InputMode::ReferenceToVideo, MediaRole::ReferenceVideo) => "reference_video",
        _ => return Err("there is no type for such a file"),
    };
    Ok(json!({ "type": kind, "url": medium.url }))
}
