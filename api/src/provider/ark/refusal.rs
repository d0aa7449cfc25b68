//! What Ark's error codes mean. They come with refused requests and with tasks that failed.

use serde_json::Value;

use crate::provider::json::text_at;
use crate::provider::wire::Reply;
use crate::provider::{FailureCode, ProviderError};

/// The answer, if it is none of their refusals.
pub(super) fn judged(reply: &Reply) -> Result<Value, ProviderError> {
    if reply.is_success() {
        return reply.json();
    }
    let code = text_at(&reply.json_or_null(), "/error/code").unwrap_or_default();
    Err(class_of(&code).map_or_else(|| reply.by_status(), |class| reply.refused(class)))
}

/// The class of a code, which may have parts such as `InvalidParameter.TaskTypeMismatch`; nothing for one that is not documented.
pub(super) fn class_of(code: &str) -> Option<FailureCode> {
    // They add to these by and by, for other kinds of input and for other reasons.
    if code.contains("Sensitive") || code.contains("RiskDetection") {
        let is_output = code.starts_with("Output");
        return Some(if is_output { FailureCode::ModerationOutput } else { FailureCode::ModerationInput });
    }
    if code.ends_with("RateLimitExceeded") {
        return Some(FailureCode::RateLimited);
    }
    let (family, reason) = code.split_once('.').unwrap_or((code, ""));
    Some(match family {
        "MissingParameter" | "InvalidParameter" | "InvalidImageURL" | "RequestBodyTooLarge" => {
            FailureCode::InvalidInput
        }
        "InvalidEndpoint" | "InvalidEndpointOrModel" | "ModelNotOpen" => FailureCode::ModelUnavailable,
        "AuthenticationError" | "AccessDenied" => FailureCode::Auth,
        // The free quota, or a limit that the account's owner has set: neither comes back by waiting.
        "AccountOverdueError" | "QuotaExceeded" | "SetLimitExceeded" => FailureCode::Balance,
        "OperationDenied" => match reason {
            "PermissionDenied" => FailureCode::Auth,
            "ServiceOverdue" => FailureCode::Balance,
            "ServiceNotOpen" => FailureCode::ModelUnavailable,
            _ => return None,
        },
        "RateLimitExceeded" | "RequestBurstTooFast" | "InflightBatchsizeExceeded" => FailureCode::RateLimited,
        "ServerOverloaded"
        | "ModelLoadingError"
        | "InternalServiceError"
        | "ContentSecurityDetectionError" => FailureCode::Transient,
        _ => return None,
    })
}
