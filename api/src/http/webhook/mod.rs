//! `/api/webhooks`: where a customer is told what happens, by people or a management key; and the stream that stands in for it
//! while somebody tries things out.
//!
//! A secret decides who is believed, so it is shown to who may manage keys and to nobody else.

mod all;
mod body;
mod deliveries;
mod form;
mod one;
mod secret;
mod stream;
mod view;

use entity::{EndpointId, endpoint};
use poem_openapi::OpenApi;

use super::auth::{Caller, KeysManage};
use super::error::ApiError;
use crate::app::App;
use crate::customer::endpoint as endpoints;

/// All operations on webhooks. Those of one path are in one type: the description shows a path once.
pub fn operations() -> impl OpenApi {
    (secret::Secret, stream::Stream, all::All, one::One, deliveries::Deliveries)
}

/// An endpoint of the caller's account, by its id; whatever is none names no endpoint.
async fn find(app: &App, caller: &Caller<KeysManage>, id: &str) -> Result<endpoint::Model, ApiError> {
    Ok(endpoints::find(app.db.read(), caller.account, endpoint_id(id)?).await?)
}

fn endpoint_id(text: &str) -> Result<EndpointId, ApiError> {
    text.parse().map_err(|_| ApiError::WebhookNotFound)
}
