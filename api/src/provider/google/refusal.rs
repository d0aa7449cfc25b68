//! Google's errors: a status by name, which says more than the number. Interactions have names of their own.

use serde_json::Value;

use crate::provider::json::{first_text, seconds_at, text_at};
use crate::provider::wire::Reply;
use crate::provider::{FailureCode, ProviderError};

/// The answer, if it is no refusal.
pub fn judged(reply: &Reply) -> Result<Value, ProviderError> {
    if reply.is_success() {
        return reply.json();
    }
    let said = reply.json_or_null();
    // Some are inside of a list of one.
    let error = said.pointer("/error").or_else(|| said.pointer("/0/error"));
    let Some(error) = error else { return Err(reply.by_status()) };
    Err(match class_of(error) {
        // Their time was over: it may have been taken.
        Some(FailureCode::Timeout) => ProviderError::Unknown(reply.excerpt()),
        Some(class) => {
            let after = reply.retry_after_ms().or_else(|| retry_delay_ms(error));
            ProviderError::refused(class, reply.excerpt(), after)
        }
        None => reply.by_status(),
    })
}

/// What a task came to that ended with an error.
pub fn verdict(error: &Value) -> FailureCode {
    match class_of(error) {
        Some(class @ (FailureCode::InvalidInput | FailureCode::ModerationInput | FailureCode::Balance)) => {
            class
        }
        _ if is_moderation(error) => FailureCode::ModerationOutput,
        _ => FailureCode::Internal,
    }
}

/// The class of an error by its status, its code, or the number that gRPC has for it.
fn class_of(error: &Value) -> Option<FailureCode> {
    let status = first_text(error, &["/status", "/code"]).unwrap_or_default().to_lowercase();
    Some(match status.as_str() {
        _ if has_bad_key(error) => FailureCode::Auth,
        "safety" | "prohibited_content" | "blocklist" | "spii" | "recitation" | "content_blocked" => {
            FailureCode::ModerationInput
        }
        "image_safety" | "image_prohibited_content" | "image_recitation" => FailureCode::ModerationInput,
        "invalid_argument" | "3" | "invalid_request" if is_moderation(error) => FailureCode::ModerationInput,
        "invalid_argument" | "3" | "invalid_request" => FailureCode::InvalidInput,
        "parameter_unknown" => FailureCode::Unsupported,
        "failed_precondition" | "9" => FailureCode::Auth,
        "permission_denied" | "7" | "unauthenticated" | "16" => FailureCode::Auth,
        "not_found" | "5" => FailureCode::ModelUnavailable,
        "quota_exceeded" | "budget_exceeded" => FailureCode::Balance,
        "resource_exhausted" | "8" | "too_many_requests" if is_used_up(error) => FailureCode::Balance,
        "resource_exhausted" | "8" | "too_many_requests" => FailureCode::RateLimited,
        "internal" | "13" | "unavailable" | "14" => FailureCode::Transient,
        "deadline_exceeded" | "4" => FailureCode::Timeout,
        _ => return None,
    })
}

fn message(error: &Value) -> String {
    text_at(error, "/message")
        .or_else(|| error.as_str().map(str::to_owned))
        .unwrap_or_default()
        .to_lowercase()
}

fn says(error: &Value, phrases: &[&str]) -> bool {
    let message = message(error);
    phrases.iter().any(|phrase| message.contains(phrase))
}

fn has_bad_key(error: &Value) -> bool {
    says(error, &["api key not valid", "api_key_invalid"])
}

/// What they say when they hold something back. The words alone stand in names of fields as well.
pub fn is_moderation(error: &Value) -> bool {
    const PHRASES: [&str; 10] = [
        "safety filter",
        "safety reason",
        "safety polic",
        "usage polic",
        "usage guideline",
        "violate",
        "sensitive",
        "responsible ai",
        "prohibited content",
        "blocked by",
    ];
    says(error, &PHRASES)
}

fn details(error: &Value) -> impl Iterator<Item = &Value> {
    error.get("details").and_then(Value::as_array).into_iter().flatten()
}

/// Nothing is left of the day, or of the money: the limit that was met is named by its quota, or in words.
fn is_used_up(error: &Value) -> bool {
    let of_day = |violation: &Value| text_at(violation, "/quotaId").is_some_and(|id| id.contains("PerDay"));
    let violations = details(error).filter_map(|detail| detail.get("violations")?.as_array()).flatten();
    says(error, &["per day", "perday", "credits are depleted"]) || violations.into_iter().any(of_day)
}

/// Such as `23.4s`.
fn retry_delay_ms(error: &Value) -> Option<u64> {
    let delay = details(error).find_map(|detail| text_at(detail, "/retryDelay"))?;
    seconds_at(&Value::from(delay.trim_end_matches('s')), "")
}
