//! How an error looks: the native dialect's envelope, whose members are also those of RFC 9457.

use std::collections::BTreeMap;

use poem::http::header::{ACCEPT, ALLOW, CONTENT_RANGE, RETRY_AFTER, WWW_AUTHENTICATE};
use poem::http::{HeaderMap, StatusCode};
use poem::{Response, ResponseBuilder};
use poem_openapi::Object;
use poem_openapi::types::ToJSON;

use super::ApiError;
use crate::http::dialect::Dialect;
use crate::http::limit;
use crate::http::value::{Amount, Moment, Shown};
use crate::media::{LinkError, Plan};

/// What is the same for every error of one request.
#[derive(Clone, Debug)]
pub struct Rendering {
    pub request_id: String,
    /// Answer as `application/problem+json`, whatever the dialect.
    pub as_problem: bool,
    /// Whose words and shape to use.
    pub dialect: Dialect,
}

/// Whether the caller asks for RFC 9457 by name. The members are the same either way.
pub fn wants_problem(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|part| {
        let media_type = part.split(';').next().unwrap_or_default().trim();
        media_type.eq_ignore_ascii_case("application/problem+json")
    })
}

/// Why a request was refused.
#[derive(Debug, Object)]
#[oai(rename = "Error", rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct ErrorBody {
    /// What happened, in a few words.
    error: String,
    /// What happened, for programs: stable.
    code: String,
    /// Whether the very same request may succeed later without risk of being charged twice.
    retryable: bool,
    /// Also in the header `X-Request-Id`. Tell it when you ask for help.
    request_id: String,
    /// The kind of problem, as a URI (RFC 9457).
    #[oai(rename = "type")]
    kind: String,
    /// As `error`.
    title: String,
    /// As the status of the answer.
    status: u16,
    /// What happened this time, in a sentence.
    detail: Option<String>,
    /// This very occurrence, as a URI.
    instance: String,
    /// With status 400: what is wrong, field by field.
    details: Option<Details>,
    /// With `insufficient_credits`: what the task costs.
    required: Option<Amount>,
    /// With `insufficient_credits`: what can be spent now.
    available: Option<Amount>,
    /// With `insufficient_credits`: what running tasks hold.
    held: Option<Amount>,
    /// With `key_limit_reached`: `day`, `week`, `month` or `lifetime`.
    scope: Option<String>,
    /// With `key_limit_reached`: the key's limit within that time.
    limit: Option<Amount>,
    /// With `key_limit_reached`: what the key has spent of it; holds count as spent.
    spent: Option<Amount>,
    /// With `key_limit_reached`: when it counts from zero again; absent for a lifetime.
    resets_at: Option<Moment>,
    /// With `rate_limited` and `concurrency_limit_reached`: which of the header `RateLimit-Policy` is in the way.
    violated_policies: Option<Vec<String>>,
}

/// What is wrong with a request.
#[derive(Debug, Object)]
#[oai(rename = "ErrorDetails", rename_all = "camelCase")]
struct Details {
    /// About the request as a whole.
    form_errors: Vec<String>,
    /// By the field, parameter or header.
    field_errors: BTreeMap<String, Vec<String>>,
}

/// Every 400 says what is wrong; where no field is, it is the form.
fn details(error: &ApiError) -> Option<Details> {
    match error.field_errors() {
        Some(errors) => {
            Some(Details { form_errors: errors.form.clone(), field_errors: errors.fields.clone() })
        }
        None if error.status() == StatusCode::BAD_REQUEST => {
            Some(Details { form_errors: error.detail().into_iter().collect(), field_errors: BTreeMap::new() })
        }
        None => None,
    }
}

/// The policy of the key's that refused the request.
fn violated(error: &ApiError) -> Option<&'static str> {
    match error {
        ApiError::RateLimited { .. } => Some(limit::REQUESTS),
        ApiError::ConcurrencyLimit { .. } => Some(limit::TASKS),
        _ => None,
    }
}

impl Rendering {
    pub fn render(&self, error: &ApiError) -> Response {
        let (media_type, body) = match self.dialect.error(error, self) {
            _ if self.as_problem => ("application/problem+json", None),
            body => ("application/json; charset=utf-8", body),
        };
        let body = body.map_or_else(|| self.body(error).to_json_string(), |body| body.to_string());
        let response = Response::builder().status(error.status()).content_type(media_type);
        with_headers(response, error).body(body)
    }

    fn body(&self, error: &ApiError) -> ErrorBody {
        let mut body = ErrorBody {
            error: error.title().to_owned(),
            code: error.code().to_owned(),
            retryable: error.is_retryable(),
            request_id: self.request_id.clone(),
            kind: format!("urn:reelmeter:error:{}", error.code()),
            title: error.title().to_owned(),
            status: error.status().as_u16(),
            detail: error.detail(),
            instance: format!("/requests/{}", self.request_id),
            details: details(error),
            required: None,
            available: None,
            held: None,
            scope: None,
            limit: None,
            spent: None,
            resets_at: None,
            violated_policies: violated(error).map(|policy| vec![policy.to_owned()]),
        };
        body.fill_in_amounts(error);
        body
    }
}

impl ErrorBody {
    fn fill_in_amounts(&mut self, error: &ApiError) {
        match error {
            ApiError::InsufficientCredits { required, available, held } => {
                self.required = Some(Shown(*required));
                self.available = Some(Shown(*available));
                self.held = Some(Shown(*held));
            }
            ApiError::KeyLimit(cap) => {
                self.scope = Some(cap.window.as_str().to_owned());
                self.limit = Some(Shown(cap.limit));
                self.spent = Some(Shown(cap.spent));
                self.resets_at = cap.resets_at.map(Shown);
            }
            _ => {}
        }
    }
}

fn with_headers(mut response: ResponseBuilder, error: &ApiError) -> ResponseBuilder {
    // Client libraries that repeat a request on their own do what this says: again only what can't be bought twice.
    if !error.is_retryable() {
        response = response.header("x-should-retry", "false");
    }
    if let Some(seconds) = error.retry_after_s() {
        response = response.header(RETRY_AFTER, seconds.to_string());
    }
    match error {
        ApiError::Unauthorized => response.header(WWW_AUTHENTICATE, "Bearer"),
        ApiError::MethodNotAllowed { allow } => response.header(ALLOW, allow),
        ApiError::RangeNotSatisfiable { len } => {
            let content_range = Plan::Unsatisfiable.content_range(*len).unwrap_or_default();
            response.header(CONTENT_RANGE, content_range)
        }
        _ => response,
    }
}

impl ApiError {
    /// What happened this time, in a sentence that is safe to show; nothing about what broke inside.
    pub fn detail(&self) -> Option<String> {
        let text = match self {
            Self::Invalid(errors) | Self::UnknownModel(errors) | Self::ModelRetired(errors) => errors.to_string(),
            Self::NoPrice(what) => format!("This combination is not sold: {what}"),
            Self::ConflictingCredentials => "Authorization and X-Api-Key hold different keys: send one".into(),
            Self::Unauthorized => "Send a valid API key as Authorization: Bearer <key>, or sign in".into(),
            Self::InsufficientScope(scope) => format!("This needs the scope {scope}, which the key or your role lacks"),
            Self::ModelNotAllowed(model) => format!("This key may not use {model}"),
            Self::AccountFrozen => "The account takes no new tasks; please contact support".into(),
            Self::Link(LinkError::Invalid) => "The link's signature is not valid for this file".into(),
            Self::Link(LinkError::Expired) => "Read the task again for a fresh link".into(),
            Self::InsufficientCredits { required, available, held } => {
                format!("This task needs {required} credits; {available} available ({held} held by running tasks)")
            }
            Self::KeyLimit(cap) => {
                let (spent, limit, window) = (cap.spent, cap.limit, cap.window.as_str());
                format!("This task would go over the key's {window} limit of {limit} credits, of which {spent} are spent")
            }
            Self::NotReady => "The task has not ended yet".into(),
            Self::ModelNotFound(hint) => hint.clone(),
            Self::ActionNotFound(names) => format!("There are {names}"),
            Self::NoClip => "The task has no such clip, or it failed".into(),
            Self::VariantUnavailable => "No picture can be made of this clip; the clip itself is there".into(),
            Self::MethodNotAllowed { allow } => format!("Use {allow}"),
            Self::QuoteExpired => "Ask for a new quote".into(),
            Self::TaskDeleted => "The task of this Idempotency-Key was deleted".into(),
            Self::TooLarge { limit_bytes } => format!("The body may have {limit_bytes} bytes"),
            Self::NotJson => "Send the body with Content-Type: application/json (with curl: -H 'Content-Type: \
                              application/json')"
                .into(),
            Self::NoObject => "Send the body as application/json, multipart/form-data or \
                               application/x-www-form-urlencoded"
                .into(),
            Self::RangeNotSatisfiable { len } => format!("The file has {len} bytes"),
            Self::KeyReused => "This Idempotency-Key was sent with another request before: use a new one".into(),
            Self::QuoteMismatch => "The quote is not for this request: send what was quoted, unchanged".into(),
            Self::QuoteUsed => "A quote buys one task: ask for another".into(),
            Self::InvalidCredentials => "The e-mail address, the password or the code is wrong".into(),
            Self::TotpRequired => "Send the code of your authenticator, or a recovery code, as totpCode".into(),
            Self::CsrfRefused => "Send X-CSRF-Token with the token of GET /api/auth/me, from a page of this site".into(),
            Self::SessionRequired => "Only a person who has signed in may do this".into(),
            Self::KeyRequired => "This is about the API key that it is called with: send one".into(),
            Self::NoCustomer => "You are signed in as staff, who act for no customer".into(),
            Self::BetaRequired => "API keys are in closed beta: ask for access at POST /api/beta/request, or redeem an invite code".into(),
            Self::InviteRequired => "Registration needs an invite code; ask for access at POST /api/beta/request".into(),
            Self::IpNotAllowed => "This key may not be used from your address".into(),
            Self::EmailTaken => "Somebody has registered with this e-mail address: sign in, or reset the password".into(),
            Self::TotpEnabled => "Your second factor is on: to use another app, turn it off first".into(),
            Self::TaskNotEnded => "Cancel the task, or wait until it has ended, before you delete it".into(),
            Self::KeyRevoked => "A revoked key stays as it is: make another".into(),
            Self::TooManyKeys { limit } => {
                format!("An account may have {limit} live keys: revoke one that is not used any more")
            }
            Self::TooManyWebhooks { limit } => {
                format!("An account may have {limit} endpoints: delete one that is not used any more")
            }
            Self::WebhookInactive => "The endpoint is paused or disabled: set its paused to false first".into(),
            Self::DeliveryNotFound => "The endpoint was never owed this event; a replay sends it".into(),
            Self::AlreadyRedeemed => "Your account has redeemed this code before; a code is good once".into(),
            Self::PromotionOver => "The code has expired or was redeemed as often as it may be".into(),
            Self::ResetInvalid => "The link has expired or was used; ask for another".into(),
            Self::TooManyAttempts { retry_after_s } => format!("Too many failed attempts: wait {retry_after_s} s"),
            Self::RateLimited { retry_after_s } => {
                format!("This key's requests per minute are used up: wait {retry_after_s} s")
            }
            Self::ConcurrencyLimit { limit } => {
                format!("This key may have {limit} tasks under way at once; nothing was charged")
            }
            Self::TooManyStreams => "Close some of this account's open streams first".into(),
            Self::ModelUnavailable(model) => format!("Nobody serves {model} right now; nothing was charged"),
            Self::TooManyRequests => {
                "Too many requests of this account are waiting; nothing was charged".into()
            }
            Self::Busy => "Too many requests are waiting; nothing was charged".into(),
            Self::Unavailable(_) => "Try again in a moment; nothing was charged".into(),
            Self::OutcomeUnknown { keyed: true } => {
                "It can't be told yet if the task was accepted: send the request again with the same Idempotency-Key".into()
            }
            Self::OutcomeUnknown { keyed: false } => {
                "It can't be told yet if the task was accepted: look at your credits before you send it again".into()
            }
            Self::UnknownPath
            | Self::TaskNotFound
            | Self::KeyNotFound
            | Self::SessionNotFound
            | Self::PromotionNotFound
            | Self::WebhookNotFound
            | Self::UploadNotFound
            | Self::Internal(_)
            | Self::Other(_) => return None,
        };
        Some(text)
    }
}
