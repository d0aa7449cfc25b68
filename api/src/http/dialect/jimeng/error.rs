//! A refusal as Jimeng numbers it, and beside it as gateways say it.

use poem_openapi::Object;
use poem_openapi::types::ToJSON;
use serde_json::Value;

use super::super::openai::{ErrorBody, told};
use crate::http::error::ApiError;

/// Jimeng's number for what went well.
pub const SUCCESS: u32 = 10_000;
/// Jimeng's numbers are this and the status: 50429 for too many requests, 50500 for its own mistakes.
const REFUSED: u32 = 50_000;
/// More at once than are allowed.
const TOO_MANY_AT_ONCE: u32 = 50_430;
/// What was made is not allowed.
const OUTPUT_REFUSED: u32 = 50_511;

/// Why a request was refused.
#[derive(Debug, Object)]
pub struct JimengError {
    /// Jimeng's number of what happened.
    code: u32,
    /// What happened, in a sentence.
    message: String,
    /// As `code`.
    status: u32,
    /// Also in the header `X-Request-Id`. Tell it when you ask for help.
    request_id: String,
    /// Null, unless a task was not found.
    #[oai(nullable)]
    data: Option<NoTask>,
    /// The same with our own, finer code.
    error: ErrorBody,
}

#[derive(Debug, Object)]
#[oai(rename = "JimengNoTask")]
struct NoTask {
    /// Always `not_found`.
    status: String,
}

pub fn error_body(error: &ApiError, request_id: &str) -> Value {
    let number = number(error);
    let is_no_task = matches!(error, ApiError::TaskNotFound);
    let answer = JimengError {
        code: number,
        message: error.detail().unwrap_or_else(|| error.title().to_owned()),
        status: number,
        request_id: request_id.to_owned(),
        data: is_no_task.then(|| NoTask { status: "not_found".into() }),
        error: told(error, request_id),
    };
    answer.to_json().unwrap_or_default()
}

fn number(error: &ApiError) -> u32 {
    match (error, error.status().as_u16()) {
        (ApiError::ConcurrencyLimit { .. } | ApiError::TooManyRequests, _) => TOO_MANY_AT_ONCE,
        // What it says of bodies that are too large means words that are not allowed.
        (_, 413) => REFUSED + 400,
        (_, status) => REFUSED + u32::from(status),
    }
}

/// The number for the reason why a task has no video.
pub fn number_of(failure: &str) -> u32 {
    match failure {
        "moderation" => OUTPUT_REFUSED,
        "invalid_input" | "input_unreachable" => REFUSED + 400,
        _ => REFUSED + 500,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_a_number_of_jimeng_s_kind() {
        for (error, expected) in [
            (ApiError::field("a", "x"), 50_400),
            (ApiError::Unauthorized, 50_401),
            (ApiError::TaskNotFound, 50_404),
            (ApiError::TooLarge { limit_bytes: 1 }, 50_400),
            (ApiError::RateLimited { retry_after_s: 1 }, 50_429),
            (ApiError::ConcurrencyLimit { limit: 1 }, 50_430),
            (ApiError::internal(anyhow::anyhow!("x")), 50_500),
            (ApiError::Busy, 50_503),
        ] {
            assert_eq!(number(&error), expected, "{error:?}");
        }
        assert_eq!([number_of("moderation"), number_of("expired")], [50_511, 50_500]);
    }
}
