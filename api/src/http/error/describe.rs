//! The errors in the API's description, declared once for every operation.

use poem_openapi::ApiResponse;
use poem_openapi::payload::{Json, Payload};
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::Type;

use super::{ApiError, ErrorBody};

const STATUSES: [(u16, &str); 13] = [
    (
        400,
        "The request is not valid: `invalid_request`, `unknown_model`, `model_retired`, `no_price`, \
         `conflicting_credentials`",
    ),
    (401, "There is no API key, or not a valid one: `unauthorized`"),
    (402, "Nothing was charged: `insufficient_credits`, `key_limit_reached`"),
    (
        403,
        "Not with this key or link: `insufficient_scope`, `model_not_allowed`, `account_frozen`, `link_invalid`, \
         `link_expired`",
    ),
    (404, "`task_not_found` (also for somebody else's task), `not_ready`, `no_clip`, `not_found`"),
    (410, "`quote_expired`, `task_deleted`"),
    (413, "The body is too large: `too_large`"),
    (415, "The body is not JSON: `unsupported_media_type`"),
    (416, "The range is beyond the clip: `range_not_satisfiable`"),
    (422, "`idempotency_key_reused`, `quote_mismatch`, `quote_used`"),
    (429, "Too much of your account is waiting, see `Retry-After`: `too_many_requests`"),
    (500, "Our mistake: `internal`"),
    (503, "Not now, see `Retry-After`: `busy`, `unavailable`, `model_unavailable`, `outcome_unknown`"),
];

impl ApiResponse for ApiError {
    fn meta() -> MetaResponses {
        MetaResponses { responses: STATUSES.into_iter().map(response).collect() }
    }

    fn register(registry: &mut Registry) {
        ErrorBody::register(registry);
    }
}

fn response((status, description): (u16, &'static str)) -> MetaResponse {
    let schema = ErrorBody::schema_ref();
    let content = vec![MetaMediaType { content_type: Json::<ErrorBody>::CONTENT_TYPE, schema }];
    MetaResponse { description, status: Some(status), status_range: None, content, headers: vec![] }
}
