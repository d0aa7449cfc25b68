//! What each generation of Wan, and HappyHorse, is told: its files as a list with types or in fields of their own, its picture as
//! pixels or by name.

mod files;

use serde_json::{Map, Value, json};

use self::files::Files;
use crate::provider::Submission;
use crate::provider::wan;

const PATH: &str = "api/v1/services/aigc/video-generation/video-synthesis";
/// From a first frame to a last one, in the older generations.
const FRAMES_PATH: &str = "api/v1/services/aigc/image2video/video-synthesis";
/// The longest text about what is not wanted, in characters.
const NEGATIVE_MAX: usize = 500;

/// How a model is told the size of its picture.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Picture {
    /// `resolution`, and `ratio` where it is free.
    Named { with_ratio: bool },
    /// `size` in pixels.
    Pixels,
}

/// What a model is told.
struct Shape {
    files: Files,
    picture: Picture,
    has_duration: bool,
    /// `audio` on or off.
    has_audio: bool,
    /// `shot_type` single or multi.
    has_shots: bool,
}

/// A path and a body, or why the route can't express it.
pub fn order(submission: &Submission) -> Result<(&'static str, Value), &'static str> {
    let shape = shape(&submission.native_id).ok_or("nobody knows what this model is told")?;
    let mut input = texts(submission)?;
    input.extend(files::input(submission, shape.files)?);
    let mut parameters = parameters(submission, &shape)?;
    for (name, value) in &submission.extra {
        // What is done with the files is said beside them.
        let place = if name == files::FUNCTION { &mut input } else { &mut parameters };
        place.entry(name.clone()).or_insert_with(|| value.clone());
    }
    let path = if shape.files == Files::Frames { FRAMES_PATH } else { PATH };
    Ok((path, json!({ "model": submission.native_id, "input": input, "parameters": parameters })))
}

fn shape(native_id: &str) -> Option<Shape> {
    const NAMED: Picture = Picture::Named { with_ratio: false };
    const FREE: Picture = Picture::Named { with_ratio: true };
    let is = |start: &str| native_id.starts_with(start);
    let horse = |end: &str| is("happyhorse-1.") && native_id.ends_with(end);
    let of =
        |files, picture| Shape { files, picture, has_duration: true, has_audio: false, has_shots: false };
    let fixed = |shape: Shape| Shape { has_duration: false, ..shape };
    let sounding = |shape: Shape| Shape { has_audio: true, ..shape };
    let sounding_in_shots = |shape: Shape| Shape { has_audio: true, has_shots: true, ..shape };
    let shapes = [
        (horse("-video-edit"), fixed(of(Files::List, NAMED))),
        (is("wan2.7-t2v") || horse("-t2v"), of(Files::Sound, FREE)),
        (is("wan2.7-i2v") || horse("-i2v"), of(Files::List, NAMED)),
        (is("wan2.7-r2v") || is("wan2.7-videoedit") || horse("-r2v"), of(Files::List, FREE)),
        (is("wan2.6-t2v"), sounding_in_shots(of(Files::Sound, Picture::Pixels))),
        (is("wan2.6-i2v"), sounding_in_shots(of(Files::Picture, NAMED))),
        (is("wan2.6-r2v"), sounding_in_shots(of(Files::References, Picture::Pixels))),
        (is("wan2.5-t2v"), sounding(of(Files::Sound, Picture::Pixels))),
        (is("wan2.5-i2v"), sounding(of(Files::Picture, NAMED))),
        (is("wan2.2-t2v"), fixed(of(Files::Sound, Picture::Pixels))),
        (is("wan2.2-i2v"), fixed(of(Files::Picture, NAMED))),
        (is("wan2.1-kf2v") || is("wan2.2-kf2v"), fixed(of(Files::Frames, NAMED))),
        (is("wan2.1-vace"), of(Files::Vace, Picture::Pixels)),
    ];
    shapes.into_iter().find(|(is_it, _)| *is_it).map(|(_, shape)| shape)
}

/// The longest prompt of a generation, in characters: what is longer is cut off there.
fn prompt_max(native_id: &str) -> usize {
    const MOST: [(&str, usize); 5] =
        [("wan2.7", 5_000), ("wan2.6", 1_500), ("wan2.5", 2_000), ("wan2.2", 800), ("wan2.1", 800)];
    let known = MOST.iter().find(|(start, _)| native_id.starts_with(start));
    known.map_or(usize::MAX, |(_, most)| *most)
}

fn texts(submission: &Submission) -> Result<Map<String, Value>, &'static str> {
    let mut input = Map::new();
    if submission.prompt.chars().count() > prompt_max(&submission.native_id) {
        return Err("the prompt is longer than is read");
    }
    if !submission.prompt.is_empty() {
        input.insert("prompt".into(), json!(submission.prompt));
    }
    if let Some(negative) = &submission.negative_prompt {
        if negative.chars().count() > NEGATIVE_MAX {
            return Err("the negative prompt is longer than is read");
        }
        input.insert("negative_prompt".into(), json!(negative));
    }
    Ok(input)
}

fn parameters(submission: &Submission, shape: &Shape) -> Result<Map<String, Value>, &'static str> {
    let mut parameters = Map::new();
    match shape.picture {
        Picture::Named { with_ratio } => {
            parameters.insert("resolution".into(), json!(submission.resolution.to_uppercase()));
            if with_ratio && submission.aspect_ratio != "auto" {
                parameters.insert("ratio".into(), json!(submission.aspect_ratio));
            }
        }
        Picture::Pixels => {
            parameters.insert("size".into(), json!(size(submission)?));
        }
    }
    if shape.has_duration {
        parameters.insert("duration".into(), json!(submission.duration_s));
    }
    if shape.has_audio {
        parameters.insert("audio".into(), json!(submission.audio));
    }
    if shape.has_shots {
        let many = submission.options.get("multi_shot") == Some(&Value::Bool(true));
        parameters.insert("shot_type".into(), json!(if many { "multi" } else { "single" }));
    }
    parameters.extend(wishes(submission));
    Ok(parameters)
}

/// What is told only where it is wished for.
fn wishes(submission: &Submission) -> Map<String, Value> {
    let mut wishes = Map::new();
    if let Some(seed) = submission.seed {
        // They take 31 bits.
        wishes.insert("seed".into(), json!(seed & i64::from(i32::MAX)));
    }
    if let Some(mark) = submission.options.get("watermark") {
        wishes.insert("watermark".into(), mark.clone());
    }
    if let Some(keep) = submission.options.get("keep_audio") {
        let setting = if *keep == Value::Bool(true) { "origin" } else { "auto" };
        wishes.insert("audio_setting".into(), json!(setting));
    }
    wishes
}

/// Without a wish, as it is there by default.
fn size(submission: &Submission) -> Result<&'static str, &'static str> {
    let ratio = if submission.aspect_ratio == "auto" { "16:9" } else { submission.aspect_ratio.as_str() };
    wan::size(&submission.resolution, ratio)
}
