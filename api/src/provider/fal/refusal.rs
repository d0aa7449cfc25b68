//! What their errors mean: of a request that was sent, of a question, and of a generation that has ended.
//!
//! Models list what was wrong, each with a type; the platform names one type for the whole, in the body and in a header.

use serde_json::Value;

use crate::provider::json::text_at;
use crate::provider::wire::Reply;
use crate::provider::{FailureCode, ProviderError};

const MODERATION: &str = "content_policy_violation";
const CANCELED: &str = "client_cancelled";
/// Of the platform or of the model's own vendor: another try may work, and is never billed.
const PASSING: &[&str] = &[
    "request_timeout",
    "startup_timeout",
    "generation_timeout",
    "internal_error",
    "internal_server_error",
    "downstream_service_error",
    "downstream_service_unavailable",
    "client_disconnected",
];
const RUNNER: &str = "runner_";

/// How a generation ended without a clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Canceled,
    Failed(FailureCode),
}

/// The answer to a submission, if it is none of their refusals.
pub fn judged(reply: &Reply) -> Result<Value, ProviderError> {
    if reply.is_success() {
        return reply.json();
    }
    let said = reply.excerpt().to_lowercase();
    let is_locked = reply.status == 403 && (said.contains("balance") || said.contains("locked"));
    Err(match class(&kinds(reply), reply.status) {
        _ if is_locked => reply.refused(FailureCode::Balance),
        Some(FailureCode::ModerationOutput) => reply.refused(FailureCode::ModerationInput),
        Some(code) if !is_about_us(reply.status) => reply.refused(code),
        _ => reply.by_status(),
    })
}

/// The answer to a question about a request. Whoever doesn't know the request says nothing about what came of it.
pub fn of_request(reply: &Reply) -> Result<Value, ProviderError> {
    match reply.status {
        404 => Err(reply.refused(FailureCode::Expired)),
        _ => judged(reply),
    }
}

/// Whether the result was asked for before it was there.
pub fn is_early(reply: &Reply) -> bool {
    reply.status == 400 && reply.excerpt().to_lowercase().contains("still in progress")
}

/// How it ended by the result and by the status before it; nothing if neither says so in their own words.
pub fn end(reply: &Reply, status: &Value) -> Option<End> {
    let mut kinds = if is_about_us(reply.status) { Vec::new() } else { kinds(reply) };
    kinds.extend(text_at(status, "/error_type").map(Kind::of_all));
    if kinds.iter().any(|kind| kind.name == CANCELED) {
        return Some(End::Canceled);
    }
    let has_failed = status.get("error").is_some_and(|error| !error.is_null());
    let unprocessable = reply.status == 422 && reply.json_or_null().get("detail").is_some();
    let code = match class(&kinds, reply.status) {
        None if unprocessable => FailureCode::InvalidInput,
        None if has_failed => FailureCode::Internal,
        code => code?,
    };
    Some(End::Failed(code))
}

/// A type of error that they name.
#[derive(Debug)]
struct Kind {
    name: String,
    /// Of one of the fields that were sent.
    is_of_field: bool,
}

impl Kind {
    fn of_all(name: String) -> Kind {
        Kind { name, is_of_field: false }
    }

    /// A place such as `["body", "prompt"]` is a field.
    fn of_detail(detail: &Value) -> Option<Kind> {
        let place = detail.get("loc").and_then(Value::as_array).map_or(0, Vec::len);
        Some(Kind { name: text_at(detail, "/type")?, is_of_field: place > 1 })
    }
}

fn kinds(reply: &Reply) -> Vec<Kind> {
    let body = reply.json_or_null();
    let details = body.get("detail").and_then(Value::as_array).into_iter().flatten();
    let of_all = [text_at(&body, "/error_type"), reply.header("x-fal-error-type").map(str::to_owned)];
    details.filter_map(Kind::of_detail).chain(of_all.into_iter().flatten().map(Kind::of_all)).collect()
}

fn class(kinds: &[Kind], status: u16) -> Option<FailureCode> {
    let passes = |kind: &Kind| PASSING.contains(&kind.name.as_str()) || kind.name.starts_with(RUNNER);
    let mut refused = kinds.iter().filter(|kind| kind.name == MODERATION).peekable();
    Some(match status {
        _ if kinds.is_empty() => return None,
        _ if refused.peek().is_some() && refused.any(|kind| kind.is_of_field) => FailureCode::ModerationInput,
        _ if kinds.iter().any(|kind| kind.name == MODERATION) => FailureCode::ModerationOutput,
        _ if kinds.iter().any(passes) => FailureCode::Transient,
        500.. => FailureCode::Transient,
        400..=499 if !is_about_us(status) => FailureCode::InvalidInput,
        _ => FailureCode::Internal,
    })
}

/// A refusal of our key, our account or our pace, or of what was asked for: nothing about what a model made.
fn is_about_us(status: u16) -> bool {
    matches!(status, 401..=404 | 429)
}
