//! `GET` and `POST /api/keys`.

use std::sync::Arc;

use entity::{KeyId, Mode};
use poem::Request;
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::{Json, Response};
use poem_openapi::{ApiResponse, OpenApi};

use super::body::NewKeyBody;
use super::page::{KeyPage, StatusName, all};
use super::view::{KeyWithSecret, Revealed, key_view};
use super::{bounds, form, manager, owner, usage, view};
use crate::app::App;
use crate::customer::keyring::{self, is_management};
use crate::db;
use crate::http::Tag;
use crate::http::auth::{Caller, KeysManage};
use crate::http::body::JsonObject;
use crate::http::error::ApiError;
use crate::http::page::{Limit, cut, next_link, read_cursor, twenty, write_cursor};
use crate::http::value::ModeName;

pub struct All;

/// Tells cursors of this list from those of others.
const CURSOR_KIND: &str = "key";

#[derive(ApiResponse)]
enum Created {
    /// The key is made.
    #[oai(status = 201)]
    Key(Json<Box<KeyWithSecret>>, #[oai(header = "Location")] String),
}

#[OpenApi(tag = "Tag::Keys")]
impl All {
    /// List keys
    ///
    /// The account's keys with their limits and what they have spent, newest first. The header `Link` with `rel="next"` is
    /// the next page. Secrets are never shown again.
    ///
    /// Scope: `keys:manage`.
    #[oai(path = "/api/keys", method = "get", operation_id = "listKeys")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the query")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<KeysManage>,
        /// Keys on a page.
        #[oai(default = "twenty")]
        limit: Query<Limit>,
        /// `nextCursor` of the page before.
        cursor: Query<Option<String>>,
        /// Only those.
        #[oai(default = "all")]
        status: Query<StatusName>,
        /// Of this mode; a management key sees its own only. Default: the caller's.
        mode: Query<Option<ModeName>>,
        request: &Request,
    ) -> Result<Response<Json<KeyPage>>, ApiError> {
        let limit = limit.0.0;
        let read = |cursor| read_cursor(CURSOR_KIND, cursor, |id| id.parse().ok());
        let before = cursor.0.as_deref().map(read).transpose()?;
        let manager = manager(&app, &caller, mode.0.map(Mode::from)).await?;
        let now = app.clock.now();
        // One more than asked for tells whether there is a next page.
        let bounds = (u64::from(limit) + 1, now);
        let keys = keyring::page(app.db.read(), &manager, status.0.status(), before, bounds).await;
        let mut keys = keys.map_err(|error| ApiError::database(db::fault(&error), error))?;
        let next_cursor = cut(&mut keys, limit).map(|key| write_cursor(CURSOR_KIND, &key.id.to_string()));
        let link = next_cursor.as_deref().map(|cursor| next_link(request, cursor));
        let usage = usage(&app, keys.iter().map(|key| key.id).collect(), now).await?;
        let data = keys.into_iter().map(|key| key_view(key, &usage, now)).collect();
        let response = Response::new(Json(KeyPage { data, next_cursor }));
        Ok(match link {
            Some(link) => response.header("Link", link),
            None => response,
        })
    }

    /// Make a key
    ///
    /// The answer holds its `secret`, which is shown this once: only its hash is kept. A key generates or it manages, never
    /// both, and belongs to one mode. An account may have 100 live keys.
    ///
    /// Scope: `keys:manage`.
    #[oai(path = "/api/keys", method = "post", operation_id = "createKey")]
    async fn create(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<KeysManage>,
        body: JsonObject<NewKeyBody>,
    ) -> Result<Created, ApiError> {
        let owner = owner(&app, &caller).await?;
        if owner.admitted_at.is_none() {
            return Err(ApiError::BetaRequired);
        }
        let only = caller.key().map(|_| caller.mode);
        let form::Asked { mut new, mode, warnings } =
            form::new_key(body.fields, &bounds(&app, &owner), only)?;
        if is_management(&new.scopes) && caller.key().is_some() {
            return Err(ApiError::SessionRequired);
        }
        new.created_by = Some(caller.by.to_string());
        let manager = manager(&app, &caller, mode).await?;
        let id = KeyId(app.clock.new_id());
        let secret = keyring::create(&app.db, &manager, id, new, app.clock.now()).await?;
        let key = keyring::find(app.db.read(), manager.account, id).await?;
        let answer = KeyWithSecret { key: view(&app, key).await?, secret: Revealed(secret), warnings };
        Ok(Created::Key(Json(Box::new(answer)), format!("/api/keys/{id}")))
    }
}
