//! What hosts of this shape answer: OpenAI's video object, what gateways add to it, and new-api's wrapper around a task.

use serde_json::Value;

use crate::provider::json::{first_text, percent_at, text_at, url_at};
use crate::provider::wire::Reply;
use crate::provider::{FailureCode, ProviderError};

/// Where a finished clip is.
pub enum Place {
    Url(String),
    /// Behind the host's own `/content`.
    Content,
}

pub enum Said {
    Queued,
    Running(Option<u8>),
    Done(Place),
    Failed(FailureCode, String),
    /// It is no report.
    Nothing,
}

/// Where only an id is said, it is believed as part of a success: beside an error stands any text.
pub fn id(answer: &Value) -> Option<String> {
    let named = first_text(answer, &["/id", "/task_id", "/data/task_id", "/data/id"]);
    let is_success = text_at(answer, "/code").as_deref() == Some("success");
    named.or_else(|| text_at(answer, "/data").filter(|_| is_success))
}

/// Whether it is a gateway's or OpenAI's own error, and no page of whoever stands in front.
pub fn is_theirs(reply: &Reply) -> bool {
    let said = reply.json_or_null();
    said.get("error").is_some_and(Value::is_object) || text_at(&said, "/code").is_some()
}

/// What is said of a task. A status that nobody knows is none of the ends.
pub fn read(answer: &Value) -> Said {
    let task = answer.get("data").filter(|data| data.is_object()).unwrap_or(answer);
    let status = text_at(task, "/status").or_else(|| text_at(answer, "/status"));
    let Some(status) = status else { return Said::Nothing };
    match status.to_lowercase().as_str() {
        "completed" | "success" | "succeeded" | "succeed" => Said::Done(place(answer, task)),
        "failed" | "failure" | "error" => failed(answer, task),
        "queued" | "not_start" | "submitted" | "pending" => Said::Queued,
        _ => Said::Running(percent_at(task, "/progress")),
    }
}

/// Old builds of new-api write the address of a success into `fail_reason`.
fn place(answer: &Value, task: &Value) -> Place {
    const PATHS: [&str; 9] = [
        "/metadata/url",
        "/video_url",
        "/url",
        "/result_url",
        "/videos/0/url",
        "/videos/0",
        "/data/url",
        "/data/video_url",
        "/fail_reason",
    ];
    let found = PATHS.iter().find_map(|path| url_at(task, path).or_else(|| url_at(answer, path)));
    found.map_or(Place::Content, Place::Url)
}

fn failed(answer: &Value, task: &Value) -> Said {
    let code = first_text(task, &["/error/code"]).unwrap_or_default();
    let reason = ["/error/message", "/error", "/fail_reason", "/message"];
    let reason = first_text(task, &reason).or_else(|| first_text(answer, &reason)).unwrap_or_default();
    let class = class_of(&code).unwrap_or(match is_moderation(&reason) {
        true => FailureCode::ModerationOutput,
        false => FailureCode::Internal,
    });
    // What is refused while it is made was made, or half of it.
    let class = if class == FailureCode::ModerationInput { FailureCode::ModerationOutput } else { class };
    Said::Failed(class, format!("{code} {reason}"))
}

/// The answer, if it is no refusal.
pub fn judged(reply: &Reply) -> Result<Value, ProviderError> {
    let said = reply.json_or_null();
    if reply.is_success() {
        let answer = reply.json()?;
        // Gateways wrap a refusal in a success: a code of an error, and no task.
        let is_task = id(&answer).is_some() || text_at(&answer, "/status").is_some();
        return match class_of(&code(&answer)) {
            Some(class) if !is_task => Err(reply.refused(class)),
            _ => Ok(answer),
        };
    }
    let message = first_text(&said, &["/error/message", "/message"]).unwrap_or_default();
    if let Some(class) = class_of(&code(&said)) {
        return Err(reply.refused(class));
    }
    match reply.status {
        400 if is_moderation(&message) => Err(reply.refused(FailureCode::ModerationInput)),
        500 if text_at(&said, "/error/type").as_deref() == Some("server_error") => {
            Err(reply.refused(FailureCode::Transient))
        }
        _ => Err(reply.by_status()),
    }
}

fn code(answer: &Value) -> String {
    first_text(answer, &["/error/code", "/code", "/error/type"]).unwrap_or_default()
}

/// The class of a code; nothing for one that says no more than its status.
fn class_of(code: &str) -> Option<FailureCode> {
    Some(match code {
        "moderation_blocked" | "content_policy_violation" | "sensitive_words_detected" => {
            FailureCode::ModerationInput
        }
        "insufficient_quota" | "insufficient_user_quota" | "pre_consume_token_quota_failed" => {
            FailureCode::Balance
        }
        "invalid_api_key" => FailureCode::Auth,
        "model_not_found" | "no_available_channel" => FailureCode::ModelUnavailable,
        "rate_limit_exceeded" => FailureCode::RateLimited,
        "invalid_value" => FailureCode::InvalidInput,
        _ => return None,
    })
}

fn is_moderation(text: &str) -> bool {
    let text = text.to_lowercase();
    ["moderation", "content policy", "sensitive"].iter().any(|word| text.contains(word))
}
