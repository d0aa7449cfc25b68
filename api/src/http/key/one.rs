//! `GET`, `PATCH` and `DELETE /api/keys/{id}`, `POST /api/keys/{id}/rotate` and `/revoke`.

use std::sync::Arc;

use entity::Mode;
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;

use super::body::{KeyChangeBody, RotateBody};
use super::view::{ChangedKey, KeyView, KeyWithSecret, Revealed};
use super::{bounds, form, key_id, manager, owner, view};
use crate::app::App;
use crate::customer::keyring;
use crate::http::Tag;
use crate::http::auth::{Caller, KeysManage};
use crate::http::body::{JsonObject, OptionalJson};
use crate::http::error::ApiError;
use crate::http::value::ModeName;

pub struct One;

#[OpenApi(tag = "Tag::Keys")]
impl One {
    /// Read a key
    ///
    /// Its limits and what it has spent. Somebody else's key is not found.
    ///
    /// Scope: `keys:manage`.
    #[oai(path = "/api/keys/:id", method = "get", operation_id = "getKey")]
    async fn key(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<KeysManage>,
        /// The key's id.
        id: Path<String>,
        /// The mode of the key, for a person. Default: the session's.
        mode: Query<Option<ModeName>>,
    ) -> Result<Json<KeyView>, ApiError> {
        let manager = manager(&app, &caller, mode.0.map(Mode::from)).await?;
        let key = keyring::find(app.db.read(), manager.account, key_id(&id)?).await?;
        Ok(Json(view(&app, key).await?))
    }

    /// Change a key
    ///
    /// Its name and limits, at once. Scopes, mode and price group stay for a key's life. A management key can't change keys
    /// that manage.
    ///
    /// Scope: `keys:manage`.
    #[oai(path = "/api/keys/:id", method = "patch", operation_id = "changeKey")]
    async fn change(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<KeysManage>,
        /// The key's id.
        id: Path<String>,
        /// The mode of the key, for a person. Default: the session's.
        mode: Query<Option<ModeName>>,
        body: JsonObject<KeyChangeBody>,
    ) -> Result<Json<ChangedKey>, ApiError> {
        let (id, manager) = (key_id(&id)?, manager(&app, &caller, mode.0.map(Mode::from)).await?);
        keyring::find(app.db.read(), manager.account, id).await?;
        let owner = owner(&app, &caller).await?;
        let (change, warnings) = form::change(body.fields, &bounds(&app, &owner))?;
        let key = keyring::change(&app.db, &manager, id, change, app.clock.now()).await?;
        Ok(Json(ChangedKey { key: view(&app, key).await?, warnings }))
    }

    /// Rotate a key
    ///
    /// Gives it a new `secret`, shown this once; id, limits and usage stay. The old secret stays good for `overlapSeconds`;
    /// one from before an earlier rotation ends at once. A management key can't rotate keys that manage.
    ///
    /// Scope: `keys:manage`.
    #[oai(path = "/api/keys/:id/rotate", method = "post", operation_id = "rotateKey")]
    async fn rotate(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<KeysManage>,
        /// The key's id.
        id: Path<String>,
        /// The mode of the key, for a person. Default: the session's.
        mode: Query<Option<ModeName>>,
        body: OptionalJson<RotateBody>,
    ) -> Result<Json<KeyWithSecret>, ApiError> {
        let (id, manager) = (key_id(&id)?, manager(&app, &caller, mode.0.map(Mode::from)).await?);
        keyring::find(app.db.read(), manager.account, id).await?;
        let (overlap_s, warnings) = form::overlap_s(body.fields)?;
        let (key, secret) = keyring::rotate(&app.db, &manager, id, overlap_s, app.clock.now()).await?;
        Ok(Json(KeyWithSecret { key: view(&app, key).await?, secret: Revealed(secret), warnings }))
    }

    /// Revoke a key
    ///
    /// At once, for ever, with every secret that it has. Its tasks go on. Again it changes nothing. A management key can't
    /// revoke keys that manage.
    ///
    /// Scope: `keys:manage`.
    #[oai(path = "/api/keys/:id/revoke", method = "post", operation_id = "revokeKey")]
    async fn revoke(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<KeysManage>,
        /// The key's id.
        id: Path<String>,
        /// The mode of the key, for a person. Default: the session's.
        mode: Query<Option<ModeName>>,
    ) -> Result<Json<KeyView>, ApiError> {
        revoked(&app, &caller, &id, mode.0).await
    }

    /// Delete a key
    ///
    /// The same as to revoke it: it stays in the list, for what it has spent stays on the books.
    ///
    /// Scope: `keys:manage`.
    #[oai(path = "/api/keys/:id", method = "delete", operation_id = "deleteKey")]
    async fn delete(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<KeysManage>,
        /// The key's id.
        id: Path<String>,
        /// The mode of the key, for a person. Default: the session's.
        mode: Query<Option<ModeName>>,
    ) -> Result<Json<KeyView>, ApiError> {
        revoked(&app, &caller, &id, mode.0).await
    }
}

async fn revoked(
    app: &App,
    caller: &Caller<KeysManage>,
    id: &str,
    mode: Option<ModeName>,
) -> Result<Json<KeyView>, ApiError> {
    let (id, manager) = (key_id(id)?, manager(app, caller, mode.map(Mode::from)).await?);
    let key = keyring::revoke(&app.db, &manager, id, app.clock.now()).await?;
    Ok(Json(view(app, key).await?))
}
