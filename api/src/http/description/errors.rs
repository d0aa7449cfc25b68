//! Which operation can be refused with which code: the one table of what the description says about errors.
//!
//! A code that an operation can't give must not be in its description, and one that it can give must.

use std::collections::BTreeMap;

use poem_openapi::registry::Registry;
use serde_json::{Value, json};

use super::headers;
use super::operation::{Operation, operations};
use crate::http::dialect::Dialect;

/// Who can give a code, beside the operations that are named with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// Whatever takes a body, or a parameter outside the path.
    Input,
    /// Whatever takes a body.
    Body,
    /// Whatever asks who is calling.
    Secured,
    /// Whatever can be called with an API key.
    Keyed,
    /// Whatever is done for a customer, with a key or with a session.
    Customers,
    /// The same, where not every key or person may.
    Scoped,
    /// Whatever only a person with a session may do.
    Personal,
    /// Whatever changes something and can be called with a session.
    SessionChange,
    /// Whatever makes a task.
    Submitting,
    /// Whatever does anything at all.
    Working,
    Nothing,
}

const GENERATE: &str = "POST /api/ai/video/generate";
const QUOTE: &str = "POST /api/ai/video/quote";
/// Done to some keys by people only.
const MANAGING: [&str; 5] = [
    "POST /api/keys",
    "PATCH /api/keys/{id}",
    "DELETE /api/keys/{id}",
    "POST /api/keys/{id}/rotate",
    "POST /api/keys/{id}/revoke",
];
const BY_PASSWORD: [&str; 4] =
    ["POST /api/auth/login", "POST /api/auth/password", "POST /api/auth/totp", "DELETE /api/auth/totp"];
/// For people who have not signed in.
const DOOR: [&str; 5] = [
    "POST /api/auth/register",
    "POST /api/auth/login",
    "POST /api/auth/password/forgot",
    "POST /api/auth/password/reset",
    "POST /api/beta/request",
];
const PROBE: &str = "POST /api/webhooks/{id}/test";
/// What waits in the ledger's queue beside new tasks.
const POSTING: [&str; 3] = ["POST /api/credits/redeem", "PUT /api/credits/alerts", PROBE];
const POSTED: [&str; 3] =
    ["POST /api/ai/tasks/{id}/cancel", "POST /api/credits/redeem", "PUT /api/credits/alerts"];
/// What waits in the ledger's queue, or for its turn to hash a password.
const BUSY: [&str; 9] = [
    PROBE,
    "POST /api/credits/redeem",
    "PUT /api/credits/alerts",
    "POST /api/auth/register",
    "POST /api/auth/login",
    "POST /api/auth/password",
    "POST /api/auth/password/forgot",
    "POST /api/auth/password/reset",
    "* /api/auth/totp",
];
/// What has an endpoint sent something.
const SENDING: [&str; 3] =
    [PROBE, "POST /api/webhooks/{id}/deliveries/{event}/resend", "POST /api/webhooks/{id}/replay"];
const STREAMING: [&str; 4] = [
    "GET /api/events",
    "GET /api/webhooks/stream",
    "GET /api/ai/tasks/{id}/events",
    "GET /api/ai/tasks/{id}",
];
const CLIP: [&str; 3] =
    ["* /api/ai/tasks/{id}/content", "* /v1/videos/{id}/content", "GET /api/ai/tasks/{id}/link"];
/// What sends files, by key or by a signed link.
const FILES: [&str; 3] =
    ["* /api/ai/tasks/{id}/content", "* /v1/videos/{id}/content", "* /api/uploads/{id}/content"];

/// Every code, by status and in the order in which it is shown.
const CODES: &[(u16, &str, By, &[&str])] = &[
    (400, "invalid_request", By::Input, &[]),
    (400, "unknown_model", By::Submitting, &[QUOTE]),
    (400, "model_retired", By::Submitting, &[QUOTE]),
    (400, "no_price", By::Submitting, &[QUOTE]),
    (400, "conflicting_credentials", By::Secured, &[]),
    (401, "unauthorized", By::Secured, &[]),
    (401, "invalid_credentials", By::Nothing, &BY_PASSWORD),
    (401, "totp_required", By::Nothing, &["POST /api/auth/login", "DELETE /api/auth/totp"]),
    (402, "insufficient_credits", By::Submitting, &[]),
    (402, "key_limit_reached", By::Submitting, &[]),
    (403, "insufficient_scope", By::Scoped, &[]),
    (403, "ip_not_allowed", By::Keyed, &[]),
    (403, "model_not_allowed", By::Submitting, &[QUOTE, "GET /api/ai/models/{id}*", "GET /v1/models/{id}"]),
    (403, "account_frozen", By::Submitting, &[]),
    (403, "link_invalid", By::Nothing, &FILES),
    (403, "link_expired", By::Nothing, &FILES),
    (403, "csrf_refused", By::SessionChange, &DOOR),
    (403, "session_required", By::Personal, &MANAGING),
    (403, "key_required", By::Nothing, &["GET /api/key"]),
    (403, "no_customer", By::Customers, &["POST /api/beta/redeem"]),
    (403, "beta_required", By::Nothing, &["POST /api/keys"]),
    (403, "invite_required", By::Nothing, &["POST /api/auth/register"]),
    (
        404,
        "task_not_found",
        By::Nothing,
        &[
            "* /api/ai/tasks/{id}*",
            "* /v1/videos/{id}*",
            "POST /v1/videos/edits",
            "POST /v1/videos/extensions",
            "POST /api/actions/{name}",
            "GET /api/v1/jobs/recordInfo",
            "GET /v1/video/generations/{id}",
            "POST /kling/v1/videos/{kind}",
            "GET /kling/v1/videos/{kind}/{id}",
            "POST /jimeng",
        ],
    ),
    (404, "not_ready", By::Nothing, &CLIP),
    (404, "no_clip", By::Nothing, &CLIP),
    (404, "variant_unavailable", By::Nothing, &["* /api/ai/tasks/{id}/content", "* /v1/videos/{id}/content"]),
    (404, "upload_not_found", By::Nothing, &["* /api/uploads/{id}*"]),
    (404, "key_not_found", By::Nothing, &["* /api/keys/{id}*"]),
    (404, "session_not_found", By::Nothing, &["* /api/auth/sessions/{id}*"]),
    (404, "model_not_found", By::Nothing, &["* /api/ai/models/{*", "GET /v1/models/{id}"]),
    (404, "webhook_not_found", By::Nothing, &["* /api/webhooks/{id}*"]),
    (404, "delivery_not_found", By::Nothing, &["POST /api/webhooks/{id}/deliveries/{event}/resend"]),
    (404, "action_not_found", By::Nothing, &["* /api/actions/{name}*"]),
    (404, "promotion_not_found", By::Nothing, &["POST /api/credits/redeem"]),
    (404, "not_found", By::Nothing, &[]),
    (405, "method_not_allowed", By::Nothing, &[]),
    (409, "email_taken", By::Nothing, &["POST /api/auth/register"]),
    (409, "totp_enabled", By::Nothing, &["POST /api/auth/totp", "POST /api/auth/totp/confirm"]),
    (409, "task_not_ended", By::Nothing, &["DELETE /api/ai/tasks/{id}", "DELETE /v1/videos/{id}"]),
    (409, "key_revoked", By::Nothing, &["PATCH /api/keys/{id}", "POST /api/keys/{id}/rotate"]),
    (409, "too_many_keys", By::Nothing, &["POST /api/keys", "PATCH /api/keys/{id}"]),
    (409, "too_many_webhooks", By::Nothing, &["POST /api/webhooks"]),
    (409, "webhook_inactive", By::Nothing, &SENDING),
    (409, "already_redeemed", By::Nothing, &["POST /api/credits/redeem"]),
    (410, "quote_expired", By::Nothing, &[GENERATE]),
    (410, "task_deleted", By::Submitting, &[]),
    (410, "promotion_over", By::Nothing, &["POST /api/credits/redeem"]),
    (410, "reset_invalid", By::Nothing, &["POST /api/auth/password/reset"]),
    (413, "too_large", By::Body, &[]),
    (415, "unsupported_media_type", By::Body, &[]),
    (
        416,
        "range_not_satisfiable",
        By::Nothing,
        &["GET /api/ai/tasks/{id}/content", "GET /v1/videos/{id}/content", "GET /api/uploads/{id}/content"],
    ),
    (422, "idempotency_key_reused", By::Submitting, &[]),
    (422, "quote_mismatch", By::Nothing, &[GENERATE]),
    (422, "quote_used", By::Nothing, &[GENERATE]),
    (429, "rate_limited", By::Keyed, &[]),
    (429, "too_many_attempts", By::Secured, &DOOR),
    (429, "too_many_requests", By::Submitting, &POSTING),
    (429, "concurrency_limit_reached", By::Submitting, &[]),
    (429, "too_many_streams", By::Nothing, &STREAMING),
    (500, "internal", By::Working, &[]),
    (503, "unavailable", By::Working, &[]),
    (503, "busy", By::Submitting, &BUSY),
    (503, "model_unavailable", By::Submitting, &[QUOTE]),
    (503, "outcome_unknown", By::Submitting, &POSTED),
];

/// The statuses: the name of the shared answer, and what it means.
const STATUSES: [(u16, &str, &str); 14] = [
    (400, "BadRequest", "The request is not valid; `details` says what is wrong, field by field"),
    (401, "Unauthorized", "There is no API key or session, or not a valid one"),
    (402, "PaymentRequired", "Nothing was charged"),
    (403, "Forbidden", "Not with this key, session or link"),
    (404, "NotFound", "There is no such thing; somebody else's is not found either"),
    (409, "Conflict", "Not in this state"),
    (410, "Gone", "It is over for good"),
    (413, "ContentTooLarge", "The body is too large"),
    (415, "UnsupportedMediaType", "The body is of no content type that is read here"),
    (416, "RangeNotSatisfiable", "The range is beyond the file's end"),
    (422, "UnprocessableContent", "It contradicts what was sent before"),
    (429, "TooManyRequests", "Too much at once: wait as long as `Retry-After` says"),
    (500, "InternalServerError", "Our mistake"),
    (503, "ServiceUnavailable", "Not now: wait as long as `Retry-After` says"),
];

/// Every code that there is, with its status.
pub fn codes() -> impl Iterator<Item = (u16, &'static str)> {
    CODES.iter().map(|(status, code, ..)| (*status, *code))
}

/// Every status with its meaning and codes, for documents that can't share an answer.
pub fn statuses() -> impl Iterator<Item = (u16, String)> {
    STATUSES.into_iter().map(|(status, _, text)| (status, with_codes(text, codes_of(status))))
}

/// Replaces the errors that the framework gave every operation: each answer is declared once, and each operation refers to
/// those that it can give, with its own codes.
pub fn declare(document: &mut Value) {
    let mut used: BTreeMap<String, Value> = BTreeMap::new();
    for operation in operations(document) {
        let dialect = Dialect::of_path(operation.path);
        let given: Vec<Answer> =
            (0..STATUSES.len()).filter_map(|n| Answer::of(n, dialect, &operation)).collect();
        if let Some(responses) = operation.value["responses"].as_object_mut() {
            responses.retain(|status, _| !status.starts_with(['4', '5']));
            for Answer { status, name, reference } in given {
                used.entry(name).or_insert_with(|| shared_answer(status, dialect));
                responses.insert(status.to_string(), reference);
            }
        }
    }
    document["components"]["responses"] = Value::Object(used.into_iter().collect());
}

/// Adds how the dialects' refusals look: the framework leaves out what no operation of its own names.
pub fn bring_schemas(document: &mut Value) -> serde_json::Result<()> {
    let mut registry = Registry::new();
    Dialect::register_errors(&mut registry);
    for (name, schema) in registry.schemas {
        document["components"]["schemas"][name] = serde_json::to_value(schema)?;
    }
    Ok(())
}

/// How one operation is refused with one status.
struct Answer {
    status: u16,
    /// Of the shared answer.
    name: String,
    /// To the shared answer, with the operation's own codes.
    reference: Value,
}

impl Answer {
    /// `None` when the operation can't give the status.
    fn of(n: usize, dialect: Dialect, operation: &Operation<'_>) -> Option<Answer> {
        let (status, name, text) = STATUSES[n];
        let gives = |by: &By, named: &[&str]| by.includes(operation) || operation.is_any_of(named);
        let fitting = CODES.iter().filter(|(of, _, by, named)| *of == status && gives(by, named));
        let codes: Vec<&str> = fitting.map(|(_, code, ..)| *code).collect();
        if codes.is_empty() {
            return None;
        }
        let name = format!("{}{name}", dialect.prefix());
        let reference = format!("#/components/responses/{name}");
        let description = with_codes(text, codes.into_iter());
        Some(Answer { status, name, reference: json!({ "$ref": reference, "description": description }) })
    }
}

fn shared_answer(status: u16, dialect: Dialect) -> Value {
    let text = STATUSES.iter().find(|(of, ..)| *of == status).map_or("", |(_, _, text)| text);
    let error = |schema: &str| json!({ "schema": { "$ref": format!("#/components/schemas/{schema}") } });
    json!({
        "description": with_codes(text, codes_of(status)),
        "headers": headers::of_error(status),
        "content": {
            "application/json": error(&format!("{}Error", dialect.prefix())),
            "application/problem+json": error("Error"),
        },
    })
}

fn codes_of(status: u16) -> impl Iterator<Item = &'static str> {
    CODES
        .iter()
        .filter(move |(of, _, by, named)| *of == status && (*by != By::Nothing || !named.is_empty()))
        .map(|(_, code, ..)| *code)
}

fn with_codes<'a>(text: &str, codes: impl Iterator<Item = &'a str>) -> String {
    let codes: Vec<String> = codes.map(|code| format!("`{code}`")).collect();
    format!("{text}: {}", codes.join(", "))
}

impl By {
    fn includes(self, operation: &Operation<'_>) -> bool {
        let (with_key, with_session) = (operation.takes("bearer"), operation.takes("session"));
        match self {
            By::Input => operation.has_input(),
            By::Body => operation.has_body(),
            By::Secured => operation.is_secured(),
            By::Keyed => with_key,
            By::Customers => with_key && with_session,
            By::Scoped => with_key && with_session && operation.path != "/api/key",
            By::Personal => with_session && !with_key,
            By::SessionChange => with_session && !["GET", "HEAD"].contains(&operation.method.as_str()),
            By::Submitting => operation.makes_task(),
            By::Working => operation.path != "/healthz",
            By::Nothing => false,
        }
    }
}
