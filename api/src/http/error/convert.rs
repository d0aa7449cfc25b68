//! From the rooms' and the framework's errors to ours.

use poem::error::{MethodNotAllowedError, NotFoundError, ReadBodyError};
use poem::http::StatusCode;
use poem_openapi::error::{ParseParamError, ParsePathError};
use web_session::StoreError;

use super::ApiError;
use crate::customer::endpoint::{ENDPOINTS_MAX, EndpointError};
use crate::customer::keyring::{self, KeyringError};
use crate::customer::reception::Refused as NotLetIn;
use crate::db::Fault;
use crate::ledger::Refusal;
use crate::video::delete::DeleteError;
use crate::video::input::InputError;
use crate::video::quote::QuoteError;
use crate::video::read::ReadError;
use crate::video::request::FieldErrors;
use crate::video::rules::Refused;
use crate::video::settle::SettleError;
use crate::video::submit::SubmitError;
use crate::video::upload::UploadError;

impl ApiError {
    pub fn internal(error: impl Into<anyhow::Error>) -> Self {
        ApiError::Internal(error.into())
    }

    /// An error of the database, sorted by [`crate::db::fault`]: what may pass is 503, the rest is our mistake.
    pub fn database(fault: Fault, error: impl Into<anyhow::Error>) -> Self {
        match fault {
            Fault::Retry | Fault::Connection => ApiError::Unavailable(error.into()),
            Fault::Statement => ApiError::Internal(error.into()),
        }
    }

    /// About one field, parameter or header.
    pub fn field(name: &str, message: impl Into<String>) -> Self {
        let mut errors = FieldErrors::default();
        errors.push(name, message);
        ApiError::Invalid(errors)
    }

    /// About the request as a whole.
    pub fn form(message: impl Into<String>) -> Self {
        let mut errors = FieldErrors::default();
        errors.push_form(message);
        ApiError::Invalid(errors)
    }

    /// The same, with its fields called otherwise.
    pub fn with_fields(self, translate: impl FnOnce(FieldErrors) -> FieldErrors) -> Self {
        match self {
            ApiError::Invalid(errors) => ApiError::Invalid(translate(errors)),
            ApiError::UnknownModel(errors) => ApiError::UnknownModel(translate(errors)),
            ApiError::ModelRetired(errors) => ApiError::ModelRetired(translate(errors)),
            other => other,
        }
    }

    /// Says whether the request had an idempotency key, which decides if it may be sent again.
    pub fn for_request(self, keyed: bool) -> Self {
        match self {
            ApiError::OutcomeUnknown { .. } => ApiError::OutcomeUnknown { keyed },
            other => other,
        }
    }

    /// Whatever comes out of the framework: ours if a handler returned it, otherwise translated. `allow` names the methods
    /// of the request's path.
    pub fn from_framework(error: poem::Error, allow: impl FnOnce() -> String) -> Self {
        let error = match error.downcast::<ApiError>() {
            Ok(ours) => return ours,
            Err(error) => error,
        };
        if error.is::<NotFoundError>() || error.is::<ParsePathError>() {
            return ApiError::UnknownPath;
        }
        if error.is::<MethodNotAllowedError>() {
            return ApiError::MethodNotAllowed { allow: allow() };
        }
        if let Some(ParseParamError { name, reason }) = error.downcast_ref() {
            return ApiError::field(name, told(reason));
        }
        if error.is::<ReadBodyError>() {
            return ApiError::form("The body could not be read");
        }
        match error.status() {
            status if status.is_server_error() => ApiError::Internal(anyhow::anyhow!("{error}")),
            StatusCode::BAD_REQUEST => ApiError::form("The request could not be read"),
            status => ApiError::Other(status),
        }
    }
}

/// The framework puts its own words around ours: `failed to parse "integer": Must be 1 to 100`, and where it was found.
fn told(reason: &str) -> &str {
    let message = reason.split_once("\": ").map_or("Not a valid value", |(_, message)| message);
    message.split(" (occurred while parsing ").next().unwrap_or(message)
}

impl From<FieldErrors> for ApiError {
    fn from(errors: FieldErrors) -> Self {
        ApiError::Invalid(errors)
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::UnknownModel(errors) => ApiError::UnknownModel(errors),
            Refused::Retired(errors) => ApiError::ModelRetired(errors),
            Refused::Invalid(errors) => ApiError::Invalid(errors),
        }
    }
}

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::KeyReused => ApiError::KeyReused,
            SubmitError::Invalid(refused) => refused.into(),
            SubmitError::ModelNotAllowed(model) => ApiError::ModelNotAllowed(model),
            SubmitError::ModelUnavailable(model) => ApiError::ModelUnavailable(model),
            SubmitError::Quote(QuoteError::Mismatch) => ApiError::QuoteMismatch,
            SubmitError::Quote(QuoteError::Expired) => ApiError::QuoteExpired,
            SubmitError::NoPrice(error) => ApiError::NoPrice(error.to_string()),
            SubmitError::Refused(refusal) => refusal.into(),
            SubmitError::Prices(error) => ApiError::Unavailable(error.into()),
            SubmitError::Db(error) => ApiError::database(crate::db::fault(&error), error),
            SubmitError::Deleted => ApiError::TaskDeleted,
            SubmitError::Input(error) => error.into(),
            SubmitError::Read(error) => error.into(),
            SubmitError::Json(error) => ApiError::internal(error),
        }
    }
}

impl From<InputError> for ApiError {
    fn from(error: InputError) -> Self {
        match error {
            InputError::Upload(error) => error.into(),
            InputError::Read(error) => error.into(),
        }
    }
}

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::Refused(message) => ApiError::field("file", message),
            UploadError::TooLarge { limit_bytes } => {
                ApiError::TooLarge { limit_bytes: usize::try_from(limit_bytes).unwrap_or(usize::MAX) }
            }
            UploadError::Cut(reason) => ApiError::form(format!("The file did not arrive whole: {reason}")),
            UploadError::Store(error) => ApiError::Unavailable(error.into()),
            UploadError::Db(error) => ApiError::database(crate::db::fault(&error), error),
        }
    }
}

impl From<SettleError> for ApiError {
    fn from(error: SettleError) -> Self {
        match error {
            SettleError::NoTask => ApiError::TaskNotFound,
            SettleError::Refused(refusal) => refusal.into(),
            SettleError::Db(error) => ApiError::database(crate::db::fault(&error), error),
            SettleError::Stored(error) => ApiError::internal(error),
        }
    }
}

impl From<NotLetIn> for ApiError {
    fn from(refused: NotLetIn) -> Self {
        match refused {
            NotLetIn::Throttled { retry_after_s } => ApiError::TooManyAttempts { retry_after_s },
            NotLetIn::Busy => ApiError::Busy,
            NotLetIn::InviteRequired => ApiError::InviteRequired,
            NotLetIn::BadInvite => ApiError::field(
                "inviteCode",
                "Is not a code that can be used: it is wrong, has expired, or was used or revoked",
            ),
            NotLetIn::EmailTaken => ApiError::EmailTaken,
            NotLetIn::InvalidCredentials => ApiError::InvalidCredentials,
            NotLetIn::SecondFactorNeeded => ApiError::TotpRequired,
            NotLetIn::SecondFactorIsOn => ApiError::TotpEnabled,
            NotLetIn::BadCode => ApiError::field(
                "code",
                "Is not your app's current code; ask for a secret at POST /api/auth/totp first",
            ),
            NotLetIn::BadLink => ApiError::ResetInvalid,
            NotLetIn::SessionOver => ApiError::Unauthorized,
            NotLetIn::NoCustomer => ApiError::NoCustomer,
            NotLetIn::Db(error) => ApiError::database(crate::db::fault(&error), error),
            NotLetIn::Sessions(StoreError::Database(error)) => {
                ApiError::database(crate::db::fault(&error), error)
            }
            NotLetIn::Sessions(error @ StoreError::Redis(_)) => ApiError::Unavailable(error.into()),
            // Bounds were checked at the door.
            NotLetIn::Password(error) => ApiError::internal(error),
        }
    }
}

impl From<DeleteError> for ApiError {
    fn from(error: DeleteError) -> Self {
        match error {
            DeleteError::NoTask => ApiError::TaskNotFound,
            DeleteError::NotEnded => ApiError::TaskNotEnded,
            DeleteError::Db(error) => ApiError::database(crate::db::fault(&error), error),
        }
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Db(error) => ApiError::database(crate::db::fault(&error), error),
            ReadError::Stored(error) => ApiError::internal(error),
        }
    }
}

impl From<KeyringError> for ApiError {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::NotFound => ApiError::KeyNotFound,
            KeyringError::PersonRequired => ApiError::SessionRequired,
            KeyringError::NotAdmitted => ApiError::BetaRequired,
            KeyringError::Revoked => ApiError::KeyRevoked,
            KeyringError::Full => ApiError::TooManyKeys { limit: keyring::LIVE_MAX },
            KeyringError::Db(error) => ApiError::database(crate::db::fault(&error), error),
        }
    }
}

impl From<EndpointError> for ApiError {
    fn from(error: EndpointError) -> Self {
        match error {
            EndpointError::NotFound => ApiError::WebhookNotFound,
            EndpointError::Full => ApiError::TooManyWebhooks { limit: ENDPOINTS_MAX },
            EndpointError::NotActive => ApiError::WebhookInactive,
            EndpointError::NoDelivery => ApiError::DeliveryNotFound,
            EndpointError::Db(error) => ApiError::database(crate::db::fault(&error), error),
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoTask => ApiError::TaskNotFound,
            Refusal::KeyReused => ApiError::KeyReused,
            Refusal::QuoteUsed => ApiError::QuoteUsed,
            Refusal::KeyGone(_) => ApiError::Unauthorized,
            Refusal::Frozen => ApiError::AccountFrozen,
            Refusal::Insufficient { required, available, held } => {
                ApiError::InsufficientCredits { required, available, held }
            }
            Refusal::TooManyTasks { limit } => ApiError::ConcurrencyLimit { limit },
            Refusal::CapReached(cap) => ApiError::KeyLimit(cap),
            Refusal::TooMany => ApiError::TooManyRequests,
            Refusal::Busy => ApiError::Busy,
            Refusal::Unavailable => ApiError::Unavailable(refusal.into()),
            Refusal::OutcomeUnknown => ApiError::OutcomeUnknown { keyed: false },
            // What no request of a customer asks for, and what the vault has logged already.
            Refusal::NoAccount
            | Refusal::ReferenceTaken
            | Refusal::NotSettled
            | Refusal::AboveCaptured
            | Refusal::NotPositive
            | Refusal::TooLarge
            | Refusal::Internal => ApiError::internal(refusal),
        }
    }
}
