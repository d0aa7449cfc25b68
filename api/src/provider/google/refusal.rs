//! Google's errors: a status by name, which says more than the number.

use serde_json::Value;

use crate::provider::json::{first_text, text_at};
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
    let message = text_at(error, "/message").unwrap_or_default();
    let status = first_text(error, &["/status", "/code"]).unwrap_or_default();
    Err(match class_of(&status, &message) {
        // Their time was over: it may have been taken.
        Some(FailureCode::Timeout) => ProviderError::Unknown(reply.excerpt()),
        Some(class) => reply.refused(class),
        None => reply.by_status(),
    })
}

/// The class of a status, or of the number that gRPC has for it.
pub fn class_of(status: &str, message: &str) -> Option<FailureCode> {
    let lower = message.to_lowercase();
    Some(match status {
        _ if lower.contains("api key not valid") || message.contains("API_KEY_INVALID") => FailureCode::Auth,
        "INVALID_ARGUMENT" | "3" | "invalid_request" if is_moderation(&lower) => FailureCode::ModerationInput,
        "INVALID_ARGUMENT" | "3" | "invalid_request" => FailureCode::InvalidInput,
        "FAILED_PRECONDITION" | "9" => FailureCode::Auth,
        "PERMISSION_DENIED" | "7" | "UNAUTHENTICATED" | "16" => FailureCode::Auth,
        "NOT_FOUND" | "5" => FailureCode::ModelUnavailable,
        "RESOURCE_EXHAUSTED" | "8" if lower.contains("per day") || lower.contains("perday") => {
            FailureCode::Balance
        }
        "RESOURCE_EXHAUSTED" | "8" => FailureCode::RateLimited,
        "INTERNAL" | "13" | "UNAVAILABLE" | "14" => FailureCode::Transient,
        "DEADLINE_EXCEEDED" | "4" => FailureCode::Timeout,
        _ => return None,
    })
}

pub fn is_moderation(lower: &str) -> bool {
    ["safety", "policy", "policies", "sensitive", "prohibited", "blocked"]
        .iter()
        .any(|word| lower.contains(word))
}
