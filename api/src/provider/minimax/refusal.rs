//! What they refuse, and why a task failed. Both APIs use the same codes: the first one has them in `base_resp`, whatever the
//! status; the second one at the end of its message, in brackets, and not always under the status that they belong to.

use serde_json::Value;

use crate::provider::json::{int_at, text_at};
use crate::provider::wire::Reply;
use crate::provider::{Failure, FailureCode, Progress, ProviderError};

/// They gave up waiting for themselves: what was submitted may be running.
const TIMEOUT: i64 = 1001;

/// The answer, if it is no refusal.
pub fn judged(reply: &Reply) -> Result<Value, ProviderError> {
    let said = reply.json_or_null();
    let code = code_of(&said);
    if code == Some(TIMEOUT) {
        return Err(ProviderError::Unknown(reply.excerpt()));
    }
    let class = code.and_then(|code| class_of(code, &reply.excerpt())).or_else(|| class_of_kind(&said));
    match class {
        Some(class) => Err(reply.refused(class)),
        None if !reply.is_success() => Err(reply.by_status()),
        None if code.is_none_or(|code| code == 0) && !is_error(&said) => reply.json(),
        None => Err(ProviderError::Broken(reply.excerpt())),
    }
}

/// Why a task failed, by the code that is told with it. What only a question can be refused for is an answer to the question.
pub fn failed(code: Option<i64>, reason: &str) -> Result<Progress, ProviderError> {
    use FailureCode::{Auth, Internal, InvalidInput, ModerationInput, ModerationOutput, RateLimited};
    let class = match code.and_then(|code| class_of(code, reason)) {
        Some(class @ (InvalidInput | ModerationInput | ModerationOutput)) => class,
        Some(class @ (Auth | RateLimited)) => return Err(ProviderError::refused(class, reason, None)),
        _ if is_moderation(reason) => ModerationOutput,
        _ => Internal,
    };
    Ok(Progress::Failed { failure: Failure::new(class, reason), cost: None })
}

/// A code at the end of a text, in brackets.
pub fn bracketed(text: &str) -> Option<i64> {
    let (_, code) = text.trim_end().strip_suffix(')')?.rsplit_once('(')?;
    code.parse().ok()
}

fn code_of(said: &Value) -> Option<i64> {
    let message = || text_at(said, "/error/message");
    int_at(said, "/base_resp/status_code").or_else(|| bracketed(&message()?))
}

fn class_of(code: i64, said: &str) -> Option<FailureCode> {
    Some(match code {
        1000 | 1024 | 1033 => FailureCode::Transient,
        // Documented as limits; their own command line takes them for the content filter.
        1002 | 1039 | 1041 if is_moderation(said) => FailureCode::ModerationInput,
        1002 | 1039 | 1041 => FailureCode::RateLimited,
        1004 | 2049 => FailureCode::Auth,
        1008 | 1028 | 1030 | 2056 => FailureCode::Balance,
        1026 => FailureCode::ModerationInput,
        1027 => FailureCode::ModerationOutput,
        1042 | 2013 => FailureCode::InvalidInput,
        2061 => FailureCode::ModelUnavailable,
        _ => return None,
    })
}

/// The class of an error that has no code, by what the second API calls it.
fn class_of_kind(said: &Value) -> Option<FailureCode> {
    Some(match text_at(said, "/error/type")?.as_str() {
        "bad_request_error" => FailureCode::InvalidInput,
        "authorized_error" => FailureCode::Auth,
        "insufficient_balance_error" => FailureCode::Balance,
        "unprocessable_entity_error" => FailureCode::ModerationInput,
        "rate_limit_error" => FailureCode::RateLimited,
        "server_error" => FailureCode::Transient,
        _ => return None,
    })
}

fn is_error(said: &Value) -> bool {
    said.get("type").is_some_and(|kind| kind == "error") || said.get("error").is_some_and(Value::is_object)
}

fn is_moderation(text: &str) -> bool {
    let text = text.to_lowercase();
    ["sensitive", "moderation", "content filter"].iter().any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_stands_at_the_end_in_brackets() {
        for (text, code) in [
            ("insufficient balance (1008)", Some(1008)),
            ("invalid params, ratio (16:9) is wrong (2013) ", Some(2013)),
            ("invalid params (2013): ratio", None),
            ("too many requests (soon)", None),
            ("", None),
            (")", None),
        ] {
            assert_eq!(bracketed(text), code, "{text}");
        }
    }
}
