//! What each kind of work is told. Lengths are texts, sizes are modes, and sound is a word.

use serde_json::{Map, Value, json};

use super::kind::{Kind, model_name};
use crate::provider::Submission;
use crate::video::catalog::InputMode;
use crate::video::request::MediaRole;

/// The body of a submission, or why it can't be one. `source` is the video that an extension goes on from.
pub fn body(kind: Kind, submission: &Submission, source: Option<&str>) -> Result<Value, &'static str> {
    if kind.is_turbo() {
        return turbo(submission);
    }
    let mut body = Map::new();
    let mut set = |name: &str, value: Value| body.insert(name.to_owned(), value);
    if !matches!(kind, Kind::Extend | Kind::Avatar) {
        set("model_name", json!(model_name(submission)));
    }
    // An extension has the picture of its source.
    if kind != Kind::Extend {
        set("mode", json!(mode(submission)?));
    }
    if !submission.prompt.is_empty() {
        set("prompt", json!(submission.prompt));
    }
    if has_length(kind, submission) {
        set("duration", json!(submission.duration_s.to_string()));
    }
    if has_shape(kind, submission) && submission.aspect_ratio != "auto" {
        set("aspect_ratio", json!(submission.aspect_ratio));
    }
    match kind {
        Kind::Extend if submission.duration_s != 5 => return Err("an extension has 5 s"),
        Kind::Extend => drop(set("video_id", json!(source))),
        _ => files(&mut body, kind, submission)?,
    }
    wishes(&mut body, kind, submission)?;
    options(&mut body, kind, submission)?;
    if let Some(url) = &submission.callback_url {
        body.insert("callback_url".into(), json!(url));
    }
    body.insert("external_task_id".into(), json!(submission.submit_key));
    for (name, value) in &submission.extra {
        body.entry(name.clone()).or_insert_with(|| value.clone());
    }
    if kind == Kind::Motion {
        body.entry("character_orientation").or_insert_with(|| json!("video"));
    }
    Ok(Value::Object(body))
}

/// A size, in their words. The oldest model with sound makes it in pro only; the price of sound there is that of pro.
pub(in crate::provider) fn mode(submission: &Submission) -> Result<&'static str, &'static str> {
    match submission.resolution.as_str() {
        "720p" if submission.audio && submission.native_id == "kling-v2-6" => Ok("pro"),
        "720p" => Ok("std"),
        "1080p" => Ok("pro"),
        "4k" => Ok("4k"),
        _ => Err("there is no such size"),
    }
}

/// The others are as long as the video or the sound that they follow.
fn has_length(kind: Kind, submission: &Submission) -> bool {
    match kind {
        Kind::Extend | Kind::Motion | Kind::Avatar => false,
        Kind::Omni => submission.mode != InputMode::VideoToVideo,
        _ => true,
    }
}

/// The others have the shape of a frame, or of the video that they follow.
fn has_shape(kind: Kind, submission: &Submission) -> bool {
    let is_free = matches!(submission.mode, InputMode::TextToVideo | InputMode::ReferenceToVideo);
    is_free && matches!(kind, Kind::Text | Kind::Images | Kind::Omni)
}

fn files(body: &mut Map<String, Value>, kind: Kind, submission: &Submission) -> Result<(), &'static str> {
    let mut set = |name: &str, value: Value| body.insert(name.to_owned(), value);
    let url = |role| submission.one(role).map(|medium| json!(medium.url));
    match kind {
        Kind::Image => {
            url(MediaRole::FirstFrame).map(|url| set("image", url));
            url(MediaRole::LastFrame).map(|url| set("image_tail", url));
        }
        Kind::Images => {
            let images = submission.urls(MediaRole::ReferenceImage).into_iter();
            set("image_list", images.map(|url| json!({ "image": url })).collect());
        }
        Kind::Motion => {
            url(MediaRole::ReferenceImage).map(|url| set("image_url", url));
            url(MediaRole::ReferenceVideo).map(|url| set("video_url", url));
        }
        Kind::Avatar => {
            url(MediaRole::FirstFrame).map(|url| set("image", url));
            set("sound_file", url(MediaRole::Audio).ok_or("an avatar needs something to say")?);
        }
        Kind::Omni => {
            let images = images(submission);
            if !images.is_empty() {
                set("image_list", json!(images));
            }
            if let Some(video) = video(submission) {
                set("video_list", json!([video]));
            }
        }
        _ => {}
    }
    Ok(())
}

/// A picture without a type is one to go by.
fn images(submission: &Submission) -> Vec<Value> {
    let typed = |role, kind: &str| {
        let urls = submission.urls(role).into_iter();
        urls.map(|url| json!({ "image_url": url, "type": kind })).collect::<Vec<_>>()
    };
    let references = submission.urls(MediaRole::ReferenceImage).into_iter();
    let mut images = typed(MediaRole::FirstFrame, "first_frame");
    images.extend(typed(MediaRole::LastFrame, "end_frame"));
    images.extend(references.map(|url| json!({ "image_url": url })));
    images
}

fn video(submission: &Submission) -> Option<Value> {
    let edited = submission.one(MediaRole::SourceVideo).map(|video| (video, "base"));
    let (video, refer_type) =
        edited.or_else(|| Some((submission.one(MediaRole::ReferenceVideo)?, "feature")))?;
    let keep = submission.options.get("keep_audio") == Some(&Value::Bool(true));
    let keep = if keep { "yes" } else { "no" };
    Some(json!({ "video_url": video.url, "refer_type": refer_type, "keep_original_sound": keep }))
}

/// Sound and what is not wanted.
fn wishes(body: &mut Map<String, Value>, kind: Kind, submission: &Submission) -> Result<(), &'static str> {
    if kind.has_sound(model_name(submission)) {
        body.insert("sound".into(), json!(if submission.audio { "on" } else { "off" }));
    }
    let Some(negative) = &submission.negative_prompt else { return Ok(()) };
    let is_read = match kind {
        Kind::Text | Kind::Image | Kind::Images => true,
        Kind::Extend => submission.native_id != "kling-v1",
        _ => false,
    };
    if !is_read {
        return Err("there is no negative prompt");
    }
    body.insert("negative_prompt".into(), json!(negative));
    Ok(())
}

fn options(body: &mut Map<String, Value>, kind: Kind, submission: &Submission) -> Result<(), &'static str> {
    for (name, value) in &submission.options {
        let (name, value) = match name.as_str() {
            "cfg_scale" if has_scale(kind, submission) => ("cfg_scale", value.clone()),
            // Where it can't be led was refused before.
            "camera_control" if matches!(kind, Kind::Text | Kind::Image) => ("camera_control", value.clone()),
            "watermark" => ("watermark_info", json!({ "enabled": value })),
            "elements" => ("element_list", elements(value)?),
            "multi_shot" | "shot_type" => (name.as_str(), value.clone()),
            "multi_prompt" => ("multi_prompt", shots(value)?),
            // Said with the video.
            "keep_audio" if kind == Kind::Omni => continue,
            _ => return Err("an option that it has no field for"),
        };
        body.insert(name.to_owned(), value);
    }
    // Shots that are not said to be wanted would be read over.
    if body.contains_key("multi_prompt") {
        body.entry("multi_shot").or_insert_with(|| json!(true));
    }
    let has_shots = body.get("multi_shot") == Some(&Value::Bool(true));
    let kind = if body.contains_key("multi_prompt") { "customize" } else { "intelligence" };
    if has_shots {
        body.entry("shot_type").or_insert_with(|| json!(kind));
    }
    Ok(())
}

/// Only the first generation weighs the prompt, and its first model not when it extends.
fn has_scale(kind: Kind, submission: &Submission) -> bool {
    match kind {
        Kind::Text | Kind::Image => submission.native_id.starts_with("kling-v1"),
        Kind::Extend => submission.native_id != "kling-v1",
        _ => false,
    }
}

/// Elements of its own library, by their ids.
fn elements(value: &Value) -> Result<Value, &'static str> {
    let list = value.as_array().ok_or("elements are a list")?;
    let known = list.iter().map(|element| element.get("element_id").map(|id| json!({ "element_id": id })));
    known.collect::<Option<Vec<_>>>().map(Value::from).ok_or("elements are known there by their element_id")
}

/// Shots with their places, and lengths as texts.
fn shots(value: &Value) -> Result<Value, &'static str> {
    let list = value.as_array().ok_or("multi_prompt is a list")?;
    let shot = |(n, shot): (usize, &Value)| {
        let seconds = shot.get("duration")?;
        let seconds = seconds.as_str().map_or_else(|| seconds.to_string(), str::to_owned);
        Some(json!({ "index": n + 1, "prompt": shot.get("prompt")?, "duration": seconds }))
    };
    let shots = list.iter().enumerate().map(shot).collect::<Option<Vec<_>>>();
    shots.map(Value::from).ok_or("each shot has a prompt and a duration")
}

/// The newer style: settings beside what it is made from, and what is ours in a place of its own.
fn turbo(submission: &Submission) -> Result<Value, &'static str> {
    if submission.negative_prompt.is_some() {
        return Err("there is no negative prompt");
    }
    let mut settings = json!({ "resolution": submission.resolution, "duration": submission.duration_s });
    let mut options = json!({ "external_task_id": submission.submit_key });
    for (name, value) in &submission.options {
        match name.as_str() {
            "watermark" => options["watermark_info"] = json!({ "enabled": value }),
            _ => return Err("an option that it has no field for"),
        }
    }
    if let Some(url) = &submission.callback_url {
        options["callback_url"] = json!(url);
    }
    let Some(first) = submission.one(MediaRole::FirstFrame) else {
        settings["aspect_ratio"] = json!(submission.aspect_ratio);
        return Ok(json!({ "prompt": submission.prompt, "settings": settings, "options": options }));
    };
    let contents = json!([
        { "type": "prompt", "text": submission.prompt },
        { "type": "first_frame", "url": first.url },
    ]);
    Ok(json!({ "contents": contents, "settings": settings, "options": options }))
}
