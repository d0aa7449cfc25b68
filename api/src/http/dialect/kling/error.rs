//! A refusal as Kling numbers it, and beside it as gateways say it.

use poem_openapi::Object;
use poem_openapi::types::ToJSON;
use serde_json::Value;

use super::super::openai::{ErrorBody, told};
use crate::http::error::ApiError;

/// Why a request was refused.
#[derive(Debug, Object)]
pub struct KlingError {
    /// Kling's number of what happened.
    code: u16,
    /// What happened, in a sentence.
    message: String,
    /// Also in the header `X-Request-Id`. Tell it when you ask for help.
    request_id: String,
    /// The same with our own, finer code.
    error: ErrorBody,
}

pub fn error_body(error: &ApiError, request_id: &str) -> Value {
    let answer = KlingError {
        code: number(error),
        message: error.detail().unwrap_or_else(|| error.title().to_owned()),
        request_id: request_id.to_owned(),
        error: told(error, request_id),
    };
    answer.to_json().unwrap_or_default()
}

/// Kling's number: by what happened where Kling has one for it, else by the status.
fn number(error: &ApiError) -> u16 {
    match error {
        ApiError::AccountFrozen => 1100,
        ApiError::IpNotAllowed => 1304,
        ApiError::UnknownPath => 1202,
        ApiError::ConcurrencyLimit { .. } | ApiError::TooManyRequests | ApiError::TooManyStreams => 1303,
        ApiError::Invalid(errors) if errors.fields.is_empty() => 1200,
        _ => match error.status().as_u16() {
            401 => 1000,
            402 => 1102,
            403 => 1103,
            404 | 410 => 1203,
            405 => 1202,
            400 | 409 | 422 => 1201,
            429 => 1302,
            500 => 5000,
            503 => 5001,
            504 => 5002,
            _ => 1200,
        },
    }
}

#[cfg(test)]
mod tests {
    use entity::Credits;

    use super::*;

    #[test]
    fn every_refusal_has_the_number_that_kling_has_for_it() {
        let none = Credits::ZERO;
        for (error, expected) in [
            (ApiError::Unauthorized, 1000),
            (ApiError::InsufficientCredits { required: none, available: none, held: none }, 1102),
            (ApiError::ModelNotAllowed("m".into()), 1103),
            (ApiError::AccountFrozen, 1100),
            (ApiError::IpNotAllowed, 1304),
            (ApiError::form("x"), 1200),
            (ApiError::field("a", "x"), 1201),
            (ApiError::KeyReused, 1201),
            (ApiError::NotJson, 1200),
            (ApiError::TooLarge { limit_bytes: 1 }, 1200),
            (ApiError::UnknownPath, 1202),
            (ApiError::MethodNotAllowed { allow: "GET".into() }, 1202),
            (ApiError::TaskNotFound, 1203),
            (ApiError::TaskDeleted, 1203),
            (ApiError::RateLimited { retry_after_s: 1 }, 1302),
            (ApiError::ConcurrencyLimit { limit: 1 }, 1303),
            (ApiError::internal(anyhow::anyhow!("x")), 5000),
            (ApiError::Busy, 5001),
        ] {
            assert_eq!(number(&error), expected, "{error:?}");
        }
    }
}
