//! The errors as the framework describes them: every one for every operation, because it can't know better. The description
//! that is published says which operation gives which ([`crate::http::description`]).

use std::sync::LazyLock;

use poem_openapi::ApiResponse;
use poem_openapi::payload::{Json, Payload};
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::Type;

use super::{ApiError, ErrorBody};
use crate::http::description::statuses;

static STATUSES: LazyLock<Vec<(u16, String)>> = LazyLock::new(|| statuses().collect());

impl ApiResponse for ApiError {
    fn meta() -> MetaResponses {
        MetaResponses { responses: STATUSES.iter().map(response).collect() }
    }

    fn register(registry: &mut Registry) {
        ErrorBody::register(registry);
    }
}

fn response((status, description): &'static (u16, String)) -> MetaResponse {
    let schema = ErrorBody::schema_ref();
    let content = vec![MetaMediaType { content_type: Json::<ErrorBody>::CONTENT_TYPE, schema }];
    MetaResponse { description, status: Some(*status), status_range: None, content, headers: vec![] }
}
