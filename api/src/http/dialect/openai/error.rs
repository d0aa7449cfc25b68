//! A refusal as OpenAI's client libraries read it.

use poem_openapi::Object;
use poem_openapi::types::ToJSON;
use serde_json::Value;

use crate::http::error::ApiError;

/// Why a request was refused.
#[derive(Debug, Object)]
#[oai(rename = "OpenAiError")]
pub struct ErrorAnswer {
    error: ErrorBody,
}

#[derive(Debug, Object)]
#[oai(rename = "OpenAiErrorBody")]
pub struct ErrorBody {
    /// What happened, in a sentence.
    message: String,
    /// The kind of error, by the status of the answer.
    #[oai(rename = "type")]
    kind: String,
    /// The field that is wrong, where it is one.
    #[oai(nullable)]
    param: Option<String>,
    /// What happened, for programs: stable.
    #[oai(nullable)]
    code: Option<String>,
    /// Also in the header `X-Request-Id`. Tell it when you ask for help.
    request_id: String,
}

pub fn error_body(error: &ApiError, request_id: &str) -> Value {
    ErrorAnswer { error: told(error, request_id) }.to_json().unwrap_or_default()
}

/// The error itself; other dialects have it beside their own words.
pub fn told(error: &ApiError, request_id: &str) -> ErrorBody {
    ErrorBody {
        message: error.detail().unwrap_or_else(|| error.title().to_owned()),
        kind: kind(error).to_owned(),
        param: error.field_errors().and_then(|errors| errors.first_field()).map(str::to_owned),
        code: Some(error.code().to_owned()),
        request_id: request_id.to_owned(),
    }
}

fn kind(error: &ApiError) -> &'static str {
    match error.status().as_u16() {
        401 => "authentication_error",
        402 => "insufficient_quota",
        403 => "permission_error",
        409 => "conflict_error",
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}
