//! `GET`, `PATCH` and `DELETE /api/webhooks/{id}`, `POST /api/webhooks/{id}/rotate` and `/test`.

use std::sync::Arc;

use entity::EventId;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::all::revealed;
use super::body::WebhookChangeBody;
use super::view::{ChangedWebhook, WebhookView, WebhookWithSecret, webhook_view};
use super::{endpoint_id, find, form};
use crate::app::App;
use crate::customer::endpoint as endpoints;
use crate::customer::endpoint::secret::SigningSecret;
use crate::http::Tag;
use crate::http::auth::{Caller, KeysManage};
use crate::http::body::{JsonObject, OptionalJson};
use crate::http::credits::repeatable;
use crate::http::error::ApiError;
use crate::http::key::{RotateBody, overlap_s};
use crate::ledger::fan_out::TEST;

pub struct One;

#[derive(ApiResponse)]
enum Deleted {
    /// The endpoint is gone.
    #[oai(status = 204)]
    Deleted,
}

#[derive(ApiResponse)]
enum Tested {
    /// The test is on its way.
    #[oai(status = 202)]
    Sent(Json<TestSent>),
}

/// A test that is on its way.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct TestSent {
    /// The event's id: look for it in the deliveries.
    event: String,
    /// Always `webhook.test`.
    #[oai(rename = "type")]
    kind: String,
}

#[OpenApi(tag = "Tag::Webhooks")]
impl One {
    /// Read an endpoint
    ///
    /// Somebody else's endpoint, or one of the other mode, is not found.
    ///
    /// Scope: `keys:manage`.
    #[oai(path = "/api/webhooks/:id", method = "get", operation_id = "getWebhook")]
    async fn webhook(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<KeysManage>,
        /// The endpoint's id.
        id: Path<String>,
    ) -> Result<Json<WebhookView>, ApiError> {
        Ok(Json(webhook_view(find(&app, &caller, &id).await?, app.clock.now())))
    }

    /// Change an endpoint
    ///
    /// `paused: true` stops what is sent; what happens meanwhile is not kept for it, but can be replayed. `paused: false` goes on,
    /// with what was owed before.
    ///
    /// Scope: `keys:manage`.
    #[oai(path = "/api/webhooks/:id", method = "patch", operation_id = "changeWebhook")]
    async fn change(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<KeysManage>,
        /// The endpoint's id.
        id: Path<String>,
        body: JsonObject<WebhookChangeBody>,
    ) -> Result<Json<ChangedWebhook>, ApiError> {
        let id = find(&app, &caller, &id).await?.id;
        let (change, warnings) = form::change(body.fields)?;
        let now = app.clock.now();
        let row = endpoints::change(&app.db, caller.account, id, change, now).await?;
        Ok(Json(ChangedWebhook { webhook: webhook_view(row, now), warnings }))
    }

    /// Delete an endpoint
    ///
    /// With its deliveries; what it is still owed is not sent any more.
    ///
    /// Scope: `keys:manage`.
    #[oai(path = "/api/webhooks/:id", method = "delete", operation_id = "deleteWebhook")]
    async fn delete(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<KeysManage>,
        /// The endpoint's id.
        id: Path<String>,
    ) -> Result<Deleted, ApiError> {
        endpoints::remove(&app.db, caller.account, endpoint_id(&id)?).await?;
        Ok(Deleted::Deleted)
    }

    /// Rotate an endpoint's secret
    ///
    /// Gives it a new `secret`, shown this once. For `overlapSeconds` every webhook is signed with both, so that a receiver
    /// can change over at any moment; a secret from before an earlier rotation ends at once.
    ///
    /// Scope: `keys:manage`.
    #[oai(path = "/api/webhooks/:id/rotate", method = "post", operation_id = "rotateWebhook")]
    async fn rotate(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<KeysManage>,
        /// The endpoint's id.
        id: Path<String>,
        body: OptionalJson<RotateBody>,
    ) -> Result<Json<WebhookWithSecret>, ApiError> {
        let id = find(&app, &caller, &id).await?.id;
        let (overlap_s, warnings) = overlap_s(body.fields)?;
        let now = app.clock.now();
        let row = endpoints::rotate(&app.db, caller.account, id, overlap_s, now).await?;
        let secret = revealed(&app, &SigningSecret::of_endpoint(&row))?;
        Ok(Json(WebhookWithSecret { webhook: webhook_view(row, now), secret, warnings }))
    }

    /// Test an endpoint
    ///
    /// Sends it an event of the type `webhook.test`, whatever it wants to hear of, and delivers it like any other. One that is
    /// paused or disabled is refused with 409 `webhook_inactive`.
    ///
    /// Scope: `keys:manage`.
    #[oai(path = "/api/webhooks/:id/test", method = "post", operation_id = "testWebhook")]
    async fn test(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<KeysManage>,
        /// The endpoint's id.
        id: Path<String>,
    ) -> Result<Tested, ApiError> {
        let endpoint = find(&app, &caller, &id).await?;
        if !endpoint.is_active() {
            return Err(ApiError::WebhookInactive);
        }
        let n = endpoints::probe(&app.ledger, &endpoint).await.map_err(repeatable)?;
        let event = EventId { account: caller.account, n }.to_string();
        Ok(Tested::Sent(Json(TestSent { event, kind: TEST.to_owned() })))
    }
}
