//! What they don't make of a model although each part of it can be asked for, by their documentation of each model.

use super::shot::{self, Plan};
use crate::provider::Submission;
use crate::video::catalog::InputMode;
use crate::video::request::MediaRole;

/// Why they don't make exactly this, if they don't.
pub fn beyond(submission: &Submission) -> Option<&'static str> {
    match submission.native_id.as_str() {
        "veo3" if submission.mode == InputMode::ReferenceToVideo => {
            Some("its quality tier takes no references")
        }
        "gemini-omni-video" => gemini_omni(submission),
        "kling-3.0/video" => kling_3(submission),
        "kling-3.0-omni/image-to-video" => {
            let is_planned = matches!(shot::plan(submission), Ok(Plan::Planned(_)));
            let is_shaped = submission.aspect_ratio != "auto";
            (is_shaped && !is_planned).then_some("one shot from an image has the shape of the image")
        }
        "kling-3.0-omni/reference-to-video" => kling_omni_references(submission),
        "kling-3.0-omni/transformation" => {
            let has_images = submission.one(MediaRole::ReferenceImage).is_some();
            let is_shaped = submission.aspect_ratio != "auto";
            (is_shaped && !has_images).then_some("a video alone keeps its shape")
        }
        "wan/2-7-r2v" if pictures_and_videos(submission) > 5 => {
            Some("it takes five images and videos together")
        }
        id if id.starts_with("hailuo/2-3")
            && submission.resolution == "1080p"
            && submission.duration_s > 6 =>
        {
            Some("1080p has 6 s at most")
        }
        id if id.starts_with("bytedance/seedance-2") => {
            let has_references =
                matches!(submission.mode, InputMode::ReferenceToVideo | InputMode::VideoToVideo);
            let has_audio = submission.one(MediaRole::Audio).is_some();
            (has_audio && !has_references).then_some("a sound is a reference, beside images or videos only")
        }
        _ => None,
    }
}

fn pictures_and_videos(submission: &Submission) -> usize {
    submission.media.iter().filter(|medium| medium.role != MediaRole::Audio).count()
}

/// Seven places, of which a video takes two.
fn gemini_omni(submission: &Submission) -> Option<&'static str> {
    let place = |role: MediaRole| if role.is_video() { 2 } else { 1 };
    let places: usize = submission.media.iter().map(|medium| place(medium.role)).sum();
    (places > 7).then_some("it has seven places for files, of which a video takes two")
}

/// What has several shots always has sound, which costs more.
fn kling_3(submission: &Submission) -> Option<&'static str> {
    let has_elements =
        submission.options.get("elements").is_some_and(|elements| *elements != serde_json::json!([]));
    let plan = shot::plan(submission);
    match plan {
        Ok(Plan::Free) => Some("several shots must be described"),
        Ok(Plan::Planned(_)) if !submission.audio => Some("several shots always have sound"),
        Ok(Plan::Planned(_)) if submission.one(MediaRole::LastFrame).is_some() => {
            Some("several shots have no last frame")
        }
        _ if has_elements && submission.mode == InputMode::TextToVideo => Some("elements need a first frame"),
        _ => None,
    }
}

fn kling_omni_references(submission: &Submission) -> Option<&'static str> {
    let images = submission.all(MediaRole::ReferenceImage).count();
    let has_video = submission.one(MediaRole::ReferenceVideo).is_some();
    let is_shaped = submission.aspect_ratio != "auto";
    match (has_video, images) {
        (false, _) => (!is_shaped).then_some("images alone need a shape"),
        (true, 0) => Some("the length of a clip from a video alone can't be chosen"),
        (true, 5..) => Some("it takes four images beside a video"),
        (true, _) if submission.audio => Some("there is no sound beside a video"),
        (true, _) => is_shaped.then_some("the shape of a clip from a video can't be chosen"),
    }
}
