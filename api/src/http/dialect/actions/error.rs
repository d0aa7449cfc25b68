//! A refusal in this dialect's shape.

use poem_openapi::Object;
use poem_openapi::types::ToJSON;
use serde_json::Value;

use crate::http::error::ApiError;
use crate::http::value::{Amount, Shown};

/// Why a request was refused.
#[derive(Debug, Object)]
#[oai(rename = "ActionsError", rename_all = "camelCase")]
pub struct ActionError {
    /// Always -1.
    code: i32,
    /// What happened, in a sentence.
    message: String,
    /// What happened, in a few words.
    error: String,
    /// What happened, for programs: stable.
    error_code: String,
    /// Always null.
    #[oai(nullable)]
    data: Option<String>,
    /// With `insufficient_credits`: what the video costs.
    #[oai(skip_serializing_if_is_none)]
    required: Option<Amount>,
    /// Also in the header `X-Request-Id`. Tell it when you ask for help.
    request_id: String,
}

pub fn error_body(error: &ApiError, request_id: &str) -> Value {
    let required = match error {
        ApiError::InsufficientCredits { required, .. } => Some(Shown(*required)),
        _ => None,
    };
    let answer = ActionError {
        code: -1,
        message: error.detail().unwrap_or_else(|| error.title().to_owned()),
        error: error.title().to_owned(),
        error_code: error.code().to_owned(),
        data: None,
        required,
        request_id: request_id.to_owned(),
    };
    answer.to_json().unwrap_or_default()
}
