//! The one error at the door: a status, a stable code, and text that is safe to show.
//!
//! Codes are part of the API and never change their meaning. What went wrong inside (database, storage, a provider) is for
//! the log only: it is in [`ApiError::Internal`] and [`ApiError::Unavailable`], and no rendering shows it.

mod convert;
mod describe;
mod render;

use entity::Credits;
use poem::error::ResponseError;
use poem::http::StatusCode;

use crate::ledger::Cap;
use crate::media::LinkError;
use crate::video::request::FieldErrors;

pub use render::{ErrorBody, Rendering, wants_problem};

/// Why a request was refused, or what broke. Displayed for our log, not for customers.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("invalid request: {0}")]
    Invalid(FieldErrors),
    #[error("unknown model: {0}")]
    UnknownModel(FieldErrors),
    #[error("retired model: {0}")]
    ModelRetired(FieldErrors),
    #[error("{0}")]
    NoPrice(String),
    #[error("two different keys")]
    ConflictingCredentials,
    #[error("no key, or not a good one")]
    Unauthorized,
    #[error("the key or the role lacks {0}")]
    InsufficientScope(&'static str),
    #[error("the key may not use {0}")]
    ModelNotAllowed(String),
    #[error("the account is frozen")]
    AccountFrozen,
    #[error("signed link: {0}")]
    Link(LinkError),
    #[error("insufficient credits: {required} needed, {available} available")]
    InsufficientCredits { required: Credits, available: Credits, held: Credits },
    #[error("the key's {} cap is reached", .0.window.as_str())]
    KeyLimit(Cap),
    #[error("no such path")]
    UnknownPath,
    #[error("no such task")]
    TaskNotFound,
    #[error("the clip is not ready")]
    NotReady,
    #[error("there is no such clip")]
    NoClip,
    #[error("there is no such picture of the clip")]
    VariantUnavailable,
    #[error("no such upload")]
    UploadNotFound,
    #[error("not one of {allow}")]
    MethodNotAllowed { allow: String },
    #[error("the quote has expired")]
    QuoteExpired,
    /// The idempotency key belongs to a task that the customer deleted.
    #[error("the task was deleted")]
    TaskDeleted,
    #[error("the body has more than {limit_bytes} bytes")]
    TooLarge { limit_bytes: usize },
    #[error("the body is not JSON by its content type")]
    NotJson,
    #[error("the body is no object by its content type")]
    NoObject,
    #[error("the range is beyond the clip's {len} bytes")]
    RangeNotSatisfiable { len: u64 },
    #[error("the idempotency key was used for another request")]
    KeyReused,
    #[error("the quote is for another request")]
    QuoteMismatch,
    #[error("the quote was used already")]
    QuoteUsed,
    #[error("wrong e-mail address, password or code")]
    InvalidCredentials,
    #[error("a second factor is needed")]
    TotpRequired,
    #[error("the request may come from another site")]
    CsrfRefused,
    #[error("only for people with a session")]
    SessionRequired,
    #[error("only for keys")]
    KeyRequired,
    #[error("staff act for no customer")]
    NoCustomer,
    #[error("the customer is not admitted")]
    BetaRequired,
    #[error("registration needs an invitation")]
    InviteRequired,
    #[error("the key may not be used from this address")]
    IpNotAllowed,
    #[error("no such key")]
    KeyNotFound,
    #[error("no such session")]
    SessionNotFound,
    /// With a hint.
    #[error("no such model: {0}")]
    ModelNotFound(String),
    /// Names those that there are.
    #[error("no such action")]
    ActionNotFound(String),
    #[error("no such promotion")]
    PromotionNotFound,
    #[error("no such endpoint")]
    WebhookNotFound,
    #[error("the endpoint was never owed this event")]
    DeliveryNotFound,
    #[error("the e-mail address is in use")]
    EmailTaken,
    #[error("the second factor is on already")]
    TotpEnabled,
    #[error("the task has not ended")]
    TaskNotEnded,
    #[error("the key is revoked")]
    KeyRevoked,
    #[error("the account has {limit} live keys")]
    TooManyKeys { limit: u64 },
    #[error("the account has {limit} endpoints")]
    TooManyWebhooks { limit: u64 },
    #[error("the endpoint is paused or disabled")]
    WebhookInactive,
    #[error("the promotion was redeemed already")]
    AlreadyRedeemed,
    #[error("the promotion is over")]
    PromotionOver,
    #[error("the reset link is no good")]
    ResetInvalid,
    #[error("too many failed attempts")]
    TooManyAttempts { retry_after_s: u32 },
    #[error("the key's rate is used up")]
    RateLimited { retry_after_s: u32 },
    #[error("the key has too many tasks under way")]
    ConcurrencyLimit { limit: u32 },
    #[error("too many streams of this account are open")]
    TooManyStreams,
    #[error("nobody serves {0} right now")]
    ModelUnavailable(String),
    #[error("too many requests of this account are waiting")]
    TooManyRequests,
    #[error("the ledger's queue is full")]
    Busy,
    #[error("unavailable: {0:#}")]
    Unavailable(anyhow::Error),
    /// Whether a task was accepted can't be told yet.
    #[error("the outcome is unknown")]
    OutcomeUnknown { keyed: bool },
    #[error("{0:#}")]
    Internal(anyhow::Error),
    /// Something of the framework's that has no better place here.
    #[error("{0}")]
    Other(StatusCode),
}

/// Lets a handler return it with `?`; the rendering happens once, around all of them.
impl ResponseError for ApiError {
    fn status(&self) -> StatusCode {
        self.facts().0
    }
}

impl ApiError {
    pub fn status(&self) -> StatusCode {
        self.facts().0
    }

    /// Stable, for programs.
    pub fn code(&self) -> &'static str {
        self.facts().1
    }

    /// Short and always the same for a code, for people.
    pub fn title(&self) -> &'static str {
        self.facts().2
    }

    fn facts(&self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::Invalid(_) => (S::BAD_REQUEST, "invalid_request", "Invalid request"),
            Self::UnknownModel(_) => (S::BAD_REQUEST, "unknown_model", "Invalid request"),
            Self::ModelRetired(_) => (S::BAD_REQUEST, "model_retired", "Invalid request"),
            Self::NoPrice(_) => (S::BAD_REQUEST, "no_price", "Invalid request"),
            Self::ConflictingCredentials => {
                (S::BAD_REQUEST, "conflicting_credentials", "Conflicting credentials")
            }
            Self::Unauthorized => (S::UNAUTHORIZED, "unauthorized", "Unauthorized"),
            Self::InsufficientCredits { .. } => {
                (S::PAYMENT_REQUIRED, "insufficient_credits", "Insufficient credits")
            }
            Self::KeyLimit(_) => (S::PAYMENT_REQUIRED, "key_limit_reached", "Key limit reached"),
            Self::InsufficientScope(_) => (S::FORBIDDEN, "insufficient_scope", "Insufficient scope"),
            Self::ModelNotAllowed(_) => (S::FORBIDDEN, "model_not_allowed", "Model not allowed"),
            Self::AccountFrozen => (S::FORBIDDEN, "account_frozen", "Account frozen"),
            Self::Link(LinkError::Invalid) => (S::FORBIDDEN, "link_invalid", "Invalid link"),
            Self::Link(LinkError::Expired) => (S::FORBIDDEN, "link_expired", "Link expired"),
            Self::UnknownPath => (S::NOT_FOUND, "not_found", "Not found"),
            Self::TaskNotFound => (S::NOT_FOUND, "task_not_found", "Task not found"),
            Self::NotReady => (S::NOT_FOUND, "not_ready", "Not ready"),
            Self::NoClip => (S::NOT_FOUND, "no_clip", "No such clip"),
            Self::VariantUnavailable => (S::NOT_FOUND, "variant_unavailable", "Variant unavailable"),
            Self::UploadNotFound => (S::NOT_FOUND, "upload_not_found", "Upload not found"),
            Self::MethodNotAllowed { .. } => {
                (S::METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed")
            }
            Self::QuoteExpired => (S::GONE, "quote_expired", "Quote expired"),
            Self::TaskDeleted => (S::GONE, "task_deleted", "Task deleted"),
            Self::TooLarge { .. } => (S::PAYLOAD_TOO_LARGE, "too_large", "Request too large"),
            Self::NotJson | Self::NoObject => {
                (S::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "Unsupported media type")
            }
            Self::RangeNotSatisfiable { .. } => {
                (S::RANGE_NOT_SATISFIABLE, "range_not_satisfiable", "Range not satisfiable")
            }
            Self::KeyReused => (S::UNPROCESSABLE_ENTITY, "idempotency_key_reused", "Idempotency key reused"),
            Self::QuoteMismatch => (S::UNPROCESSABLE_ENTITY, "quote_mismatch", "Quote mismatch"),
            Self::QuoteUsed => (S::UNPROCESSABLE_ENTITY, "quote_used", "Quote used"),
            Self::InvalidCredentials => (S::UNAUTHORIZED, "invalid_credentials", "Invalid credentials"),
            Self::TotpRequired => (S::UNAUTHORIZED, "totp_required", "Second factor required"),
            Self::CsrfRefused => (S::FORBIDDEN, "csrf_refused", "Cross-site request refused"),
            Self::SessionRequired => (S::FORBIDDEN, "session_required", "Session required"),
            Self::KeyRequired => (S::FORBIDDEN, "key_required", "API key required"),
            Self::NoCustomer => (S::FORBIDDEN, "no_customer", "No customer"),
            Self::BetaRequired => (S::FORBIDDEN, "beta_required", "Closed beta"),
            Self::InviteRequired => (S::FORBIDDEN, "invite_required", "Invitation required"),
            Self::IpNotAllowed => (S::FORBIDDEN, "ip_not_allowed", "Address not allowed"),
            Self::KeyNotFound => (S::NOT_FOUND, "key_not_found", "Key not found"),
            Self::SessionNotFound => (S::NOT_FOUND, "session_not_found", "Session not found"),
            Self::ModelNotFound(_) => (S::NOT_FOUND, "model_not_found", "Model not found"),
            Self::ActionNotFound(_) => (S::NOT_FOUND, "action_not_found", "Action not found"),
            Self::PromotionNotFound => (S::NOT_FOUND, "promotion_not_found", "Promotion not found"),
            Self::WebhookNotFound => (S::NOT_FOUND, "webhook_not_found", "Webhook not found"),
            Self::DeliveryNotFound => (S::NOT_FOUND, "delivery_not_found", "Delivery not found"),
            Self::EmailTaken => (S::CONFLICT, "email_taken", "E-mail address taken"),
            Self::TotpEnabled => (S::CONFLICT, "totp_enabled", "Second factor enabled"),
            Self::TaskNotEnded => (S::CONFLICT, "task_not_ended", "Task not ended"),
            Self::KeyRevoked => (S::CONFLICT, "key_revoked", "Key revoked"),
            Self::TooManyKeys { .. } => (S::CONFLICT, "too_many_keys", "Too many keys"),
            Self::TooManyWebhooks { .. } => (S::CONFLICT, "too_many_webhooks", "Too many webhooks"),
            Self::WebhookInactive => (S::CONFLICT, "webhook_inactive", "Webhook inactive"),
            Self::AlreadyRedeemed => (S::CONFLICT, "already_redeemed", "Already redeemed"),
            Self::PromotionOver => (S::GONE, "promotion_over", "Promotion over"),
            Self::ResetInvalid => (S::GONE, "reset_invalid", "Reset link invalid"),
            Self::TooManyAttempts { .. } => (S::TOO_MANY_REQUESTS, "too_many_attempts", "Too many attempts"),
            Self::RateLimited { .. } => (S::TOO_MANY_REQUESTS, "rate_limited", "Rate limited"),
            Self::ConcurrencyLimit { .. } => {
                (S::TOO_MANY_REQUESTS, "concurrency_limit_reached", "Concurrency limit reached")
            }
            Self::TooManyStreams => (S::TOO_MANY_REQUESTS, "too_many_streams", "Too many streams"),
            Self::ModelUnavailable(_) => (S::SERVICE_UNAVAILABLE, "model_unavailable", "Model unavailable"),
            Self::TooManyRequests => (S::TOO_MANY_REQUESTS, "too_many_requests", "Too many requests"),
            Self::Busy => (S::SERVICE_UNAVAILABLE, "busy", "Busy"),
            Self::Unavailable(_) => (S::SERVICE_UNAVAILABLE, "unavailable", "Service unavailable"),
            Self::OutcomeUnknown { .. } => (S::SERVICE_UNAVAILABLE, "outcome_unknown", "Outcome unknown"),
            Self::Internal(_) => (S::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
            Self::Other(status) => (*status, "refused", status.canonical_reason().unwrap_or("Refused")),
        }
    }

    /// Whether the very same request may succeed later without risk of being charged twice.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::OutcomeUnknown { keyed } => *keyed,
            Self::TooManyRequests
            | Self::TooManyAttempts { .. }
            | Self::RateLimited { .. }
            | Self::ConcurrencyLimit { .. }
            | Self::TooManyStreams
            | Self::TaskNotEnded
            | Self::Busy
            | Self::Unavailable(_)
            | Self::ModelUnavailable(_)
            | Self::NotReady
            | Self::Internal(_) => true,
            _ => false,
        }
    }

    /// Seconds.
    pub fn retry_after_s(&self) -> Option<u32> {
        match self {
            Self::TooManyAttempts { retry_after_s } | Self::RateLimited { retry_after_s } => {
                Some(*retry_after_s)
            }
            Self::TooManyRequests | Self::Busy => Some(1),
            Self::ConcurrencyLimit { .. } | Self::TooManyStreams => Some(5),
            Self::NotReady | Self::TaskNotEnded | Self::OutcomeUnknown { .. } => Some(2),
            Self::Unavailable(_) => Some(5),
            Self::ModelUnavailable(_) => Some(60),
            _ => None,
        }
    }

    /// What was wrong field by field, when that is known.
    pub fn field_errors(&self) -> Option<&FieldErrors> {
        match self {
            Self::Invalid(errors) | Self::UnknownModel(errors) | Self::ModelRetired(errors) => Some(errors),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
