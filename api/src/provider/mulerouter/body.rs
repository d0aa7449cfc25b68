//! What is sent, by the vendor whose model it is: each path takes its vendor's own words.

use serde_json::{Map, Value, json};

use crate::provider::Submission;
use crate::provider::wan;
use crate::video::catalog::InputMode;
use crate::video::request::MediaRole;

type Body = Map<String, Value>;

/// The body of a submission, or why it can't be one.
pub fn body(submission: &Submission) -> Result<Value, &'static str> {
    let mut parts = submission.native_id.trim_matches('/').split('/').skip(1);
    let vendor = parts.next().unwrap_or_default();
    if vendor == "midjourney" {
        return midjourney(submission);
    }
    fits(vendor, submission)?;
    let mut body = Body::new();
    set(&mut body, "prompt", json!(submission.prompt));
    match vendor {
        "openai" => sora(&mut body, submission)?,
        "google" => veo(&mut body, submission)?,
        "klingai" => kling(&mut body, submission)?,
        "bytedance" => seedance(&mut body, submission),
        "alibaba" | "mulerouter" => wan(&mut body, submission)?,
        _ => return Err("nobody knows what this vendor is told"),
    }
    if let Some(negative) = &submission.negative_prompt {
        set(&mut body, "negative_prompt", json!(negative));
    }
    if let Some(seed) = submission.seed.filter(|_| matches!(vendor, "bytedance" | "alibaba" | "mulerouter")) {
        set(&mut body, "seed", json!(seed & i64::from(i32::MAX)));
    }
    for (name, value) in &submission.extra {
        body.entry(name.clone()).or_insert_with(|| value.clone());
    }
    Ok(Value::Object(body))
}

/// Whether the texts are as short as the path wants them: models have longer ones elsewhere.
fn fits(vendor: &str, submission: &Submission) -> Result<(), &'static str> {
    const NEGATIVE_MAX: usize = 500;
    let path = submission.native_id.as_str();
    let most = match vendor {
        "klingai" => 2_500,
        _ if path.contains("/happy-horse") => 2_500,
        "alibaba" if path.contains("/wan2.2") => 800,
        "openai" | "google" | "alibaba" | "mulerouter" => 2_000,
        _ => usize::MAX,
    };
    let negative = submission.negative_prompt.as_deref().unwrap_or_default();
    let is_limited = matches!(vendor, "google" | "alibaba" | "mulerouter");
    if submission.prompt.chars().count() > most {
        return Err("its prompts are shorter");
    }
    if is_limited && negative.chars().count() > NEGATIVE_MAX {
        return Err("its negative prompts are shorter");
    }
    Ok(())
}

fn set(body: &mut Body, name: &str, value: Value) {
    body.insert(name.to_owned(), value);
}

/// A file of a role, under a name, if there is one.
fn file(body: &mut Body, name: &str, submission: &Submission, role: MediaRole) {
    if let Some(medium) = submission.one(role) {
        set(body, name, json!(medium.url));
    }
}

/// All files of a role, under a name, if there are any.
fn files(body: &mut Body, name: &str, submission: &Submission, role: MediaRole) {
    let urls = submission.urls(role);
    if !urls.is_empty() {
        set(body, name, json!(urls));
    }
}

fn sora(body: &mut Body, submission: &Submission) -> Result<(), &'static str> {
    if matches!(submission.mode, InputMode::VideoToVideo | InputMode::VideoExtend) {
        return Err("clips are made from texts and pictures");
    }
    file(body, "image", submission, MediaRole::FirstFrame);
    set(body, "seconds", json!(submission.duration_s.to_string()));
    set(body, "size", json!(format!("{}x{}", submission.width, submission.height)));
    Ok(())
}

fn veo(body: &mut Body, submission: &Submission) -> Result<(), &'static str> {
    const FROM_REFERENCES_S: u32 = 8;
    if submission.mode == InputMode::ReferenceToVideo && submission.duration_s != FROM_REFERENCES_S {
        return Err("clips from references have 8 s");
    }
    // The one path that serves several models.
    if submission.native_id.ends_with("/v1/veo/generation") {
        set(body, "model", json!("veo-3.1"));
    }
    file(body, "image", submission, MediaRole::FirstFrame);
    file(body, "last_frame", submission, MediaRole::LastFrame);
    files(body, "reference_images", submission, MediaRole::ReferenceImage);
    if submission.aspect_ratio != "auto" {
        set(body, "aspect_ratio", json!(submission.aspect_ratio));
    }
    set(body, "resolution", json!(submission.resolution));
    set(body, "duration", json!(submission.duration_s));
    Ok(())
}

fn kling(body: &mut Body, submission: &Submission) -> Result<(), &'static str> {
    let path = submission.native_id.as_str();
    let (is_omni, is_third) = (path.contains("/kling-v3-omni/"), path.contains("/kling-v3"));
    let is_edit = path.ends_with("/edit");
    set(body, "mode", json!(if submission.resolution == "1080p" { "pro" } else { "std" }));
    if !is_edit {
        set(body, "duration", json!(submission.duration_s));
    }
    if is_third && !is_edit || path.contains("/kling-v2.6/") {
        set(body, "sound", json!(if submission.audio { "on" } else { "off" }));
    } else if submission.audio {
        return Err("there is no sound");
    }
    let is_from_text = submission.mode == InputMode::TextToVideo;
    if is_from_text && submission.aspect_ratio != "auto" {
        set(body, "aspect_ratio", json!(submission.aspect_ratio));
    }
    if is_omni {
        omni_files(body, submission);
    } else {
        let names = if is_third { ["first_frame", "last_frame"] } else { ["image", "image_tail"] };
        file(body, names[0], submission, MediaRole::FirstFrame);
        file(body, names[1], submission, MediaRole::LastFrame);
    }
    kling_options(body, submission)
}

fn omni_files(body: &mut Body, submission: &Submission) {
    let roles = [MediaRole::FirstFrame, MediaRole::LastFrame, MediaRole::ReferenceImage];
    let images: Vec<&str> = roles.iter().flat_map(|role| submission.urls(*role)).collect();
    if !images.is_empty() {
        set(body, "images", json!(images));
    }
    let edited = submission.one(MediaRole::SourceVideo).map(|video| (video, "base"));
    let video = edited.or_else(|| Some((submission.one(MediaRole::ReferenceVideo)?, "feature")));
    if let Some((video, refer_type)) = video {
        let keep = submission.options.get("keep_audio") == Some(&Value::Bool(true));
        let keep = if keep { "yes" } else { "no" };
        let video = json!({ "video_url": video.url, "refer_type": refer_type, "keep_original_sound": keep });
        set(body, "video", json!([video]));
    }
}

/// Whether a clip has several shots is written as a text.
fn kling_options(body: &mut Body, submission: &Submission) -> Result<(), &'static str> {
    for (name, value) in &submission.options {
        match name.as_str() {
            "multi_shot" => set(body, name, json!(value.to_string())),
            "shot_type" | "multi_prompt" | "elements" => set(body, name, value.clone()),
            "keep_audio" => {}
            _ => return Err("an option that it has no field for"),
        }
    }
    Ok(())
}

fn seedance(body: &mut Body, submission: &Submission) {
    file(body, "image", submission, MediaRole::FirstFrame);
    file(body, "last_frame_image", submission, MediaRole::LastFrame);
    files(body, "images", submission, MediaRole::ReferenceImage);
    files(body, "videos", submission, MediaRole::ReferenceVideo);
    files(body, "audios", submission, MediaRole::Audio);
    set(body, "resolution", json!(submission.resolution));
    let ratio = if submission.aspect_ratio == "auto" { "adaptive" } else { &submission.aspect_ratio };
    set(body, "aspect_ratio", json!(ratio));
    set(body, "duration", json!(submission.duration_s));
    set(body, "generate_audio", json!(submission.audio));
    if let Some(mark) = submission.options.get("watermark") {
        set(body, "watermark", mark.clone());
    }
}

fn wan(body: &mut Body, submission: &Submission) -> Result<(), &'static str> {
    let path = submission.native_id.as_str();
    let (is_horse, is_vace) = (path.contains("/happy-horse"), path.contains("-vace-"));
    let from_frames = submission.mode == InputMode::ImageToVideo;
    if is_horse || from_frames {
        set(body, "resolution", json!(submission.resolution.to_uppercase()));
    } else {
        set(body, "size", json!(wan::size(&submission.resolution, &submission.aspect_ratio)?));
    }
    file(body, "image", submission, MediaRole::FirstFrame);
    if path.contains("-kf2v-") {
        submission.one(MediaRole::LastFrame).ok_or("it needs a first and a last frame")?;
        file(body, "last_frame", submission, MediaRole::LastFrame);
    }
    if is_vace {
        set(body, "function", json!("image_reference"));
        files(body, "ref_images_url", submission, MediaRole::ReferenceImage);
    }
    // The older generations have one length.
    if !path.contains("wan2.2") && !path.contains("-kf2v-") {
        set(body, "duration", json!(submission.duration_s));
    }
    if path.contains("wan2.5") || path.contains("wan2.6") {
        set(body, "audio", json!(submission.audio));
    }
    wan_options(body, submission)
}

fn wan_options(body: &mut Body, submission: &Submission) -> Result<(), &'static str> {
    let is_sixth = submission.native_id.contains("/v1/wan2.6") && !submission.native_id.contains("-spark");
    if is_sixth {
        let many = submission.options.get("multi_shot") == Some(&Value::Bool(true));
        set(body, "multi_shots", json!(if many { "multi" } else { "single" }));
    }
    for (name, value) in &submission.options {
        match name.as_str() {
            "multi_shot" if is_sixth => {}
            "shot_type" => set(body, name, value.clone()),
            _ => return Err("an option that it has no field for"),
        }
    }
    Ok(())
}

/// A prompt with the picture's address in it, as people write it there.
fn midjourney(submission: &Submission) -> Result<Value, &'static str> {
    const PROMPT_MAX: usize = 8_192;
    let image = submission.one(MediaRole::FirstFrame).ok_or("it needs a first frame")?;
    let kind = if submission.resolution == "480p" { 0 } else { 1 };
    let prompt = format!("{} {}", submission.prompt, image.url);
    if prompt.chars().count() > PROMPT_MAX {
        return Err("its prompts are shorter, with the address");
    }
    Ok(json!({ "prompt": prompt.trim(), "video_type": kind }))
}
