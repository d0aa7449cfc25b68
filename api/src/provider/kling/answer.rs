//! What it answers: an envelope with a code, which counts before the status.

use rust_decimal::Decimal;
use serde_json::Value;

use crate::provider::json::{decimal_at, first_text, int_at, seconds_at, text_at, url_at};
use crate::provider::wire::Reply;
use crate::provider::{ClipSource, Cost, FailureCode, Progress, ProviderError, RemoteClip, Submission};

/// The list price of a resource unit in US dollars.
const UNIT: Decimal = Decimal::from_parts(14, 0, 0, false, 2);

fn code(reply: &Reply) -> Option<i64> {
    int_at(&reply.json_or_null(), "/code")
}

/// A token that is wrong, not valid yet, or not any more.
pub fn refuses_token(reply: &Reply) -> bool {
    matches!(code(reply), Some(1002..=1004))
}

/// There is no such task, in so many words: who stands in front of it answers 404 as well.
pub fn is_gone(reply: &Reply) -> bool {
    code(reply) == Some(1203)
}

/// The answer, if its code is 0.
pub fn judged(reply: &Reply) -> Result<Value, ProviderError> {
    let class = match code(reply) {
        Some(0) if reply.is_success() => return reply.json(),
        None if reply.is_success() => return Err(ProviderError::Broken(reply.excerpt())),
        None => return Err(reply.by_status()),
        Some(1000..=1004 | 1100 | 1304) => FailureCode::Auth,
        Some(1101 | 1102) => FailureCode::Balance,
        Some(1103 | 1202 | 1203) => FailureCode::ModelUnavailable,
        Some(1200 | 1201) => FailureCode::InvalidInput,
        Some(1300 | 1301) => FailureCode::ModerationInput,
        Some(1302 | 1303) => FailureCode::RateLimited,
        Some(5000 | 5001) => FailureCode::Transient,
        // Their time was over: it may have been taken.
        Some(5002) => return Err(ProviderError::Unknown(reply.excerpt())),
        Some(_) => return Err(ProviderError::Broken(reply.excerpt())),
    };
    Err(reply.refused(class))
}

/// Whether our key can tell more than a refusal does. How one is worded for a key that is taken is not documented, and an
/// error of theirs may have come after the task.
pub fn may_hide_a_task(reply: &Reply) -> bool {
    matches!(code(reply), Some(1200 | 1201 | 5000 | 5002))
}

/// Whether it speaks of the key that we send.
pub fn speaks_of_our_key(reply: &Reply) -> bool {
    text_at(&reply.json_or_null(), "/message")
        .is_some_and(|message| message.to_lowercase().contains("external"))
}

/// The task of an id, or of our key, among those that it tells of: one on the older paths, a list on the newer. One alone that
/// doesn't name itself is the one that was asked about.
pub fn task<'a>(answer: &'a Value, names: &[&str], wanted: &str) -> Option<&'a Value> {
    let data = answer.get("data")?;
    let list = data.as_array().or_else(|| data.get("tasks")?.as_array());
    match list {
        Some(list) => list.iter().find(|task| first_text(task, names).as_deref() == Some(wanted)),
        None => Some(data).filter(|task| first_text(task, names).is_none_or(|name| name == wanted)),
    }
}

/// A list of tasks that has nothing in it.
pub fn is_empty_list(answer: &Value) -> bool {
    answer.get("data").and_then(Value::as_array).is_some_and(Vec::is_empty)
}

/// What a task is said to be; nothing if nothing is said.
pub fn progress(task: &Value, submission: &Submission) -> Option<Progress> {
    let status = first_text(task, &["/task_status", "/status"])?;
    Some(match status.as_str() {
        "submitted" => Progress::Queued,
        "succeed" | "succeeded" => succeeded(task, submission),
        "failed" => {
            let reason = first_text(task, &["/task_status_msg", "/message"]).unwrap_or_default();
            let lower = reason.to_lowercase();
            let held_back = ["risk", "policy", "sensitive", "safety"].iter().any(|word| lower.contains(word));
            let class = if held_back { FailureCode::ModerationOutput } else { FailureCode::Internal };
            Progress::failed(class, reason)
        }
        _ => Progress::Running { percent: None },
    })
}

/// A watermark is not on the clip but on another one beside it.
fn succeeded(task: &Value, submission: &Submission) -> Progress {
    let is_marked = submission.options.get("watermark") == Some(&Value::Bool(true));
    let marked = |video| url_at(video, "/watermark_url").filter(|_| is_marked);
    let clip = video(task).and_then(|video| {
        let url = marked(video).or_else(|| url_at(video, "/url"))?;
        let millis = seconds_at(video, "/duration");
        Some(RemoteClip { index: submission.clip, source: ClipSource::url(url), millis })
    });
    let cost = cost_usd(task).and_then(Cost::usd);
    Progress::Succeeded { clips: clip.into_iter().collect(), cost }
}

fn video(task: &Value) -> Option<&Value> {
    let is_video = |output: &&Value| text_at(output, "/type").is_none_or(|kind| kind == "video");
    let outputs = || task.get("outputs")?.as_array()?.iter().find(is_video);
    task.pointer("/task_result/videos/0").or_else(outputs)
}

/// Units of a resource pack at their list price, or dollars; of other money nothing is known.
fn cost_usd(task: &Value) -> Option<Decimal> {
    if let Some(units) = decimal_at(task, "/final_unit_deduction") {
        return units.checked_mul(UNIT);
    }
    let billed = |entry: &Value| {
        let amount = decimal_at(entry, "/amount")?;
        match (text_at(entry, "/charge_type")?.as_str(), text_at(entry, "/currency").as_deref()) {
            ("unit", _) => amount.checked_mul(UNIT),
            ("cash", Some("USD")) => Some(amount),
            _ => None,
        }
    };
    let entries = task.get("billing")?.as_array().filter(|entries| !entries.is_empty())?;
    entries.iter().try_fold(Decimal::ZERO, |sum, entry| sum.checked_add(billed(entry)?))
}
