//! A refusal in this dialect's shape.

use poem_openapi::Object;
use poem_openapi::types::ToJSON;
use serde_json::Value;

use crate::http::error::ApiError;

/// Why a request was refused.
#[derive(Debug, Object)]
#[oai(rename = "JobsError", rename_all = "camelCase")]
pub struct JobsError {
    /// As the status of the answer.
    code: u16,
    /// What happened, in a sentence.
    msg: String,
    /// Always null.
    #[oai(nullable)]
    data: Option<String>,
    /// What happened, for programs: stable.
    error_code: String,
    /// Also in the header `X-Request-Id`. Tell it when you ask for help.
    request_id: String,
}

pub fn error_body(error: &ApiError, request_id: &str) -> Value {
    let answer = JobsError {
        code: error.status().as_u16(),
        msg: error.detail().unwrap_or_else(|| error.title().to_owned()),
        data: None,
        error_code: error.code().to_owned(),
        request_id: request_id.to_owned(),
    };
    answer.to_json().unwrap_or_default()
}
