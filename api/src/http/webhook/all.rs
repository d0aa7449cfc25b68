//! `GET` and `POST /api/webhooks`.

use std::sync::Arc;

use entity::EndpointId;
use poem::Request;
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::{Json, Response};
use poem_openapi::{ApiResponse, OpenApi};

use super::body::NewWebhookBody;
use super::form;
use super::view::{WebhookPage, WebhookWithSecret, webhook_view};
use crate::app::App;
use crate::customer::endpoint as endpoints;
use crate::customer::endpoint::secret::SigningSecret;
use crate::db;
use crate::http::Tag;
use crate::http::auth::{Caller, KeysManage};
use crate::http::body::JsonObject;
use crate::http::error::ApiError;
use crate::http::key::Revealed;
use crate::http::page::{Limit, cut, next_link, read_cursor, twenty, write_cursor};

pub struct All;

const CURSOR_KIND: &str = "webhook";

#[derive(ApiResponse)]
enum Created {
    /// The endpoint is made.
    #[oai(status = 201)]
    Webhook(Json<Box<WebhookWithSecret>>, #[oai(header = "Location")] String),
}

#[OpenApi(tag = "Tag::Webhooks")]
impl All {
    /// List endpoints
    ///
    /// The account's webhook endpoints, newest first. The header `Link` with `rel="next"` is the next page.
    ///
    /// Scope: `keys:manage`.
    #[oai(path = "/api/webhooks", method = "get", operation_id = "listWebhooks")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<KeysManage>,
        /// Endpoints on a page.
        #[oai(default = "twenty")]
        limit: Query<Limit>,
        /// `nextCursor` of the page before.
        cursor: Query<Option<String>>,
        request: &Request,
    ) -> Result<Response<Json<WebhookPage>>, ApiError> {
        let limit = limit.0.0;
        let read = |cursor| read_cursor(CURSOR_KIND, cursor, |id| id.parse().ok());
        let before = cursor.0.as_deref().map(read).transpose()?;
        // One more than asked for tells whether there is a next page.
        let rows = endpoints::page(app.db.read(), caller.account, before, u64::from(limit) + 1).await;
        let mut rows = rows.map_err(|error| ApiError::database(db::fault(&error), error))?;
        let next_cursor = cut(&mut rows, limit).map(|row| write_cursor(CURSOR_KIND, &row.id.to_string()));
        let link = next_cursor.as_deref().map(|cursor| next_link(request, cursor));
        let now = app.clock.now();
        let data = rows.into_iter().map(|row| webhook_view(row, now)).collect();
        let response = Response::new(Json(WebhookPage { data, next_cursor }));
        Ok(match link {
            Some(link) => response.header("Link", link),
            None => response,
        })
    }

    /// Make an endpoint
    ///
    /// From now on it is told what happens to the account, in this mode: one signed request an event, as the `webhooks` of this
    /// description show it, tried for some three days until it is answered with 2xx. The answer holds its `secret`, which is
    /// shown this once. An account may have 20 endpoints.
    ///
    /// Scope: `keys:manage`.
    #[oai(path = "/api/webhooks", method = "post", operation_id = "createWebhook")]
    async fn create(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<KeysManage>,
        body: JsonObject<NewWebhookBody>,
    ) -> Result<Created, ApiError> {
        let (new, warnings) = form::new_endpoint(body.fields)?;
        let (id, now) = (EndpointId(app.clock.new_id()), app.clock.now());
        let row = endpoints::create(&app.db, (caller.customer, caller.account), id, new, now).await?;
        let secret = revealed(&app, &SigningSecret::of_endpoint(&row))?;
        let answer = WebhookWithSecret { webhook: webhook_view(row, now), secret, warnings };
        Ok(Created::Webhook(Json(Box::new(answer)), format!("/api/webhooks/{id}")))
    }
}

/// A secret on its way to its owner.
pub fn revealed(app: &App, secret: &SigningSecret) -> Result<Revealed, ApiError> {
    let missing = || ApiError::internal(anyhow::anyhow!("there is no master key"));
    secret.text(&app.webhooks).map(Revealed).ok_or_else(missing)
}
