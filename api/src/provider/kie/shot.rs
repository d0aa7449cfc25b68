//! Clips of several shots, and elements: Kling's wishes in the words of kie.ai.

use serde_json::{Map, Value, json};

use super::field::Reason;
use crate::provider::Submission;
use crate::provider::json::{decimal_at, text_at};

/// The member of an element with its pictures.
pub const PICTURES: &str = "element_input_urls";
/// The one with its video, where that is not among the pictures.
pub const VIDEOS: &str = "element_input_video_urls";

/// How a clip is divided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Not at all.
    Single,
    /// As the model likes.
    Free,
    Planned(Vec<Shot>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shot {
    prompt: String,
    seconds: u32,
}

/// So many shots, of so many seconds each.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub shots: usize,
    pub seconds: u32,
    /// Whether an empty list is sent where there are none.
    pub is_required: bool,
}

/// The options `multi_shot`, `multi_prompt` and `shot_type` together.
pub fn plan(submission: &Submission) -> Result<Plan, Reason> {
    let option = |name: &str| submission.options.get(name);
    let wants_several = option("multi_shot").and_then(Value::as_bool);
    let described = option("multi_prompt").and_then(Value::as_array).filter(|shots| !shots.is_empty());
    let is_free = option("shot_type").and_then(Value::as_str) == Some("intelligence");
    match (wants_several, described) {
        (Some(false), _) | (None, None) => Ok(Plan::Single),
        (Some(true), None) => Ok(Plan::Free),
        (_, Some(_)) if is_free => Ok(Plan::Free),
        (_, Some(shots)) => planned(shots, submission.duration_s),
    }
}

/// The shots must be as long as what was priced.
fn planned(shots: &[Value], seconds: u32) -> Result<Plan, Reason> {
    let shots: Option<Vec<Shot>> = shots.iter().map(shot).collect();
    let shots = shots.ok_or("a shot has a prompt and whole seconds")?;
    let sum = shots.iter().fold(0_u32, |sum, shot| sum.saturating_add(shot.seconds));
    if sum != seconds {
        return Err("the shots are not as long as the clip");
    }
    Ok(Plan::Planned(shots))
}

fn shot(value: &Value) -> Option<Shot> {
    let seconds = decimal_at(value, "/duration").filter(|seconds| seconds.is_integer())?;
    let seconds = u32::try_from(seconds).ok().filter(|seconds| *seconds > 0)?;
    Some(Shot { prompt: text_at(value, "/prompt")?, seconds })
}

/// The list of shots.
pub fn shots(submission: &Submission, limits: Limits) -> Result<Option<Value>, Reason> {
    let Plan::Planned(shots) = plan(submission)? else { return Ok(limits.is_required.then(|| json!([]))) };
    if shots.len() > limits.shots || shots.iter().any(|shot| shot.seconds > limits.seconds) {
        return Err("there are more or longer shots than they make");
    }
    let written = |shot: &Shot| json!({ "prompt": shot.prompt, "duration": shot.seconds });
    Ok(Some(shots.iter().map(written).collect()))
}

/// The option `elements`, whose members must be among these. Elements of the vendor's own library are known to it alone.
pub fn elements(submission: &Submission, members: &[&str]) -> Result<Option<Value>, Reason> {
    const MOST: usize = 3;
    let elements = submission.options.get("elements").and_then(Value::as_array);
    let Some(elements) = elements.filter(|elements| !elements.is_empty()) else { return Ok(None) };
    let fits = |element: &Value| element.as_object().is_some_and(|element| is_element(element, members));
    if elements.len() > MOST || !elements.iter().all(fits) {
        return Err("at most three elements are taken, each with a name and pictures of its own");
    }
    Ok(Some(json!(elements)))
}

fn is_element(element: &Map<String, Value>, members: &[&str]) -> bool {
    let count = |name: &str| element.get(name).and_then(Value::as_array).map_or(0, Vec::len);
    // Where a video has no list of its own, one address is a video, which may be billed as an input video.
    let has_files = match members.contains(&VIDEOS) {
        true => count(PICTURES) + count(VIDEOS) > 0,
        false => count(PICTURES) >= 2,
    };
    has_files && element.contains_key("name") && element.keys().all(|name| members.contains(&name.as_str()))
}
