//! What they answer: the envelope of every call, and the records of the three products.

use rust_decimal::Decimal;
use serde_json::Value;

use crate::provider::json::{decimal_at, first_text, int_at, percent_at, text_at};
use crate::provider::wire::Reply;
use crate::provider::{Cost, Failure, FailureCode, Progress, ProviderError, Submission};

/// The id of a task that was taken.
pub fn accepted(reply: &Reply) -> Result<String, ProviderError> {
    let answer = reply.json_or_null();
    let said = text_at(&answer, "/msg").unwrap_or_default();
    let task = text_at(&answer, "/data/taskId");
    match (int_at(&answer, "/code"), task) {
        (Some(200), Some(task)) => Ok(task),
        // A refusal has no task.
        (Some(code), None) if code != 200 => Err(refusal(code, &said)
            .map_or_else(|| ProviderError::Broken(reply.excerpt()), |class| reply.refused(class))),
        (Some(_), _) => Err(ProviderError::Broken(reply.excerpt())),
        (None, _) => Err(reply.by_status()),
    }
}

/// The record of a task; nothing if they don't know it, which they say in three ways.
pub fn record(reply: &Reply) -> Result<Option<Value>, ProviderError> {
    let answer = reply.json_or_null();
    let record = answer.get("data").filter(|data| data.is_object());
    let said = text_at(&answer, "/msg").unwrap_or_default();
    match (int_at(&answer, "/code"), record) {
        (Some(200), record) => Ok(record.cloned()),
        // A report is one whatever the envelope says.
        (Some(_), Some(record)) if record.get("state").or(record.get("successFlag")).is_some() => {
            Ok(Some(record.clone()))
        }
        (Some(404 | 422), _) => Ok(None),
        (Some(code), _) => Err(refusal(code, &said)
            .map_or_else(|| ProviderError::Broken(reply.excerpt()), |class| reply.refused(class))),
        (None, _) => Err(reply.by_status()),
    }
}

/// The class of a code that they document for refusals.
fn refusal(code: i64, said: &str) -> Option<FailureCode> {
    Some(match code {
        400 | 422 if says(said, MODEL_GONE) => FailureCode::ModelUnavailable,
        400 | 422 if moderated(said).is_some() => FailureCode::ModerationInput,
        400 | 422 => FailureCode::InvalidInput,
        401 => FailureCode::Auth,
        402 => FailureCode::Balance,
        404 | 505 => FailureCode::ModelUnavailable,
        429 => FailureCode::RateLimited,
        455 | 500 => FailureCode::Transient,
        501 => FailureCode::Internal,
        _ => return None,
    })
}

/// Why a task failed. That they tried in vain (408, 500, 501) says nothing of what was asked for.
fn verdict(code: Option<i64>, said: &str) -> FailureCode {
    if let Some(class) = moderated(said) {
        return class;
    }
    match code {
        None | Some(404 | 500) => FailureCode::Internal,
        Some(code) => refusal(code, said).unwrap_or(FailureCode::Internal),
    }
}

const MODEL_GONE: &[&str] = &[
    "model not found",
    "model is not supported",
    "model not supported",
    "model does not exist",
    "model name",
];

const MODERATED: &[&str] = &[
    "moderation",
    "flagged",
    "content polic",
    "content filter",
    "sensitive content",
    "sensitive information",
    "sensitive word",
    "unsafe",
    "nsfw",
    "prohibited",
];

/// Whether words of theirs are about what is shown, and of what: there is no code for it.
fn moderated(said: &str) -> Option<FailureCode> {
    if !says(said, MODERATED) {
        return None;
    }
    let is_of_output =
        says(said, &["output", "generated", "result"]) && !says(said, &["prompt", "input", "upload"]);
    Some(if is_of_output { FailureCode::ModerationOutput } else { FailureCode::ModerationInput })
}

fn says(said: &str, words: &[&str]) -> bool {
    let said = said.to_lowercase();
    words.iter().any(|word| said.contains(word))
}

/// How far a market job is.
pub fn market(record: &Value, submission: &Submission) -> Result<Progress, ProviderError> {
    Ok(match text_at(record, "/state").as_deref() {
        Some("success") => return done(record, "/resultJson", submission),
        Some("fail") => failed(record, "/failCode", "/failMsg"),
        Some("waiting" | "queuing") => Progress::Queued,
        _ => Progress::Running { percent: percent_at(record, "/progress") },
    })
}

/// How far a task of the other products is.
pub fn flagged(record: &Value, result: &str, submission: &Submission) -> Result<Progress, ProviderError> {
    Ok(match int_at(record, "/successFlag") {
        Some(1) => return done(record, result, submission),
        Some(2 | 3) => failed(record, "/errorCode", "/errorMessage"),
        _ => Progress::Running { percent: None },
    })
}

fn done(record: &Value, result: &str, submission: &Submission) -> Result<Progress, ProviderError> {
    let cost = cost(record);
    let result = record.pointer(result).filter(|result| !result.is_null() && *result != "");
    let url = match result.map(embedded) {
        None => None,
        Some(Some(result)) => clip_url(&result),
        Some(None) => return Err(ProviderError::Broken("the result is no JSON".to_owned())),
    };
    Ok(match url {
        Some(url) => Progress::delivered(submission, url, cost),
        None => Progress::Succeeded { clips: Vec::new(), cost },
    })
}

fn failed(record: &Value, code: &str, message: &str) -> Progress {
    let said = text_at(record, message).unwrap_or_default();
    let class = verdict(int_at(record, code), &said);
    let detail = format!("{} {said}", text_at(record, code).unwrap_or_default());
    Progress::Failed { failure: Failure::new(class, detail), cost: cost(record) }
}

/// Their credits are half a cent each.
fn cost(record: &Value) -> Option<Cost> {
    Cost::usd(decimal_at(record, "/creditsConsumed")?.checked_mul(Decimal::new(5, 3))?)
}

/// The clip among the addresses of a result: a picture of its last frame may stand beside it.
fn clip_url(result: &Value) -> Option<String> {
    let list = result.get("resultUrls").and_then(embedded)?;
    let urls = list.as_array()?.iter().filter_map(|item| first_text(item, &["", "/resultUrl"]));
    let urls: Vec<String> =
        urls.filter(|url| url.starts_with("https://") || url.starts_with("http://")).collect();
    let is_clip = |url: &&String| ends_in(url, &[".mp4", ".mov", ".webm"]);
    let is_picture = |url: &String| ends_in(url, &[".jpg", ".jpeg", ".png", ".webp", ".gif"]);
    urls.iter().find(is_clip).or_else(|| urls.iter().find(|url| !is_picture(url))).cloned()
}

fn ends_in(url: &str, endings: &[&str]) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or_default().to_lowercase();
    endings.iter().any(|ending| path.ends_with(ending))
}

/// A value, or what is written as JSON inside a text.
pub fn embedded(value: &Value) -> Option<Value> {
    match value {
        Value::String(text) => serde_json::from_str(text).ok(),
        other => Some(other.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn words_tell_what_was_held_back() {
        for (said, class) in [
            (
                "Your prompt was flagged by Website as violating content policies.",
                Some(FailureCode::ModerationInput),
            ),
            ("The generated video was flagged", Some(FailureCode::ModerationOutput)),
            ("No result: the uploaded image is unsafe", Some(FailureCode::ModerationInput)),
            ("the value is case-sensitive", None),
            ("", None),
        ] {
            assert_eq!(moderated(said), class, "{said}");
        }
    }

    #[test]
    fn the_clip_is_told_from_the_picture_beside_it() {
        let (clip, picture) = ("https://a.example/v/clip.MP4?sign=x.png", "https://a.example/v/last.png");
        for (urls, wanted) in [
            (json!([picture, clip]), Some(clip)),
            (json!([{ "resultUrl": clip }]), Some(clip)),
            (json!([picture, "https://a.example/v/clip"]), Some("https://a.example/v/clip")),
            (json!(format!(r#"["{clip}"]"#)), Some(clip)),
            (json!([picture]), None),
            (json!(["ftp://a.example/clip.mp4", 7, null]), None),
            (json!({}), None),
        ] {
            assert_eq!(clip_url(&json!({ "resultUrls": urls })).as_deref(), wanted, "{urls}");
        }
    }
}
