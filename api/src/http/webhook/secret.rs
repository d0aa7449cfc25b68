//! `GET` and `POST /api/webhooks/secret`: the secret of the account itself.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::all::revealed;
use crate::app::App;
use crate::customer::endpoint::secret::{self, SigningSecret};
use crate::db;
use crate::http::Tag;
use crate::http::auth::{Caller, KeysManage};
use crate::http::body::OptionalJson;
use crate::http::error::ApiError;
use crate::http::key::{Revealed, RotateBody, overlap_s};
use crate::http::value::{Moment, Shown};

pub struct Secret;

/// What verifies the webhooks of a `callbackUrl`, and of the stream.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct AccountSecret {
    /// What your verifier is given: `whsec_` and Base64.
    secret: Revealed,
    /// After a rotation: until then the secret before it signs as well.
    #[oai(nullable)]
    previous_until: Option<Moment>,
}

/// The new secret.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct RotatedSecret {
    #[oai(flatten)]
    secret: AccountSecret,
    /// What was sent but has no effect.
    warnings: Vec<String>,
}

#[OpenApi(tag = "Tag::Webhooks")]
impl Secret {
    /// Read the account's signing secret
    ///
    /// With it every webhook to a task's `callbackUrl` is signed. Endpoints have secrets of their own.
    ///
    /// Scope: `keys:manage`.
    #[oai(path = "/api/webhooks/secret", method = "get", operation_id = "getWebhookSecret")]
    async fn read(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<KeysManage>,
    ) -> Result<Json<AccountSecret>, ApiError> {
        let secret = secret::of_account(app.db.read(), caller.account).await;
        let secret = secret.map_err(|error| ApiError::database(db::fault(&error), error))?;
        Ok(Json(shown(&app, &secret)?))
    }

    /// Rotate the account's signing secret
    ///
    /// For `overlapSeconds` every webhook is signed with the new and the old one, so that a receiver can change over at any
    /// moment; a secret from before an earlier rotation ends at once.
    ///
    /// Scope: `keys:manage`.
    #[oai(path = "/api/webhooks/secret", method = "post", operation_id = "rotateWebhookSecret")]
    async fn rotate(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<KeysManage>,
        body: OptionalJson<RotateBody>,
    ) -> Result<Json<RotatedSecret>, ApiError> {
        let (overlap_s, warnings) = overlap_s(body.fields)?;
        let secret = secret::rotate(&app.db, caller.account, overlap_s, app.clock.now()).await;
        let secret = secret.map_err(|error| ApiError::database(db::fault(&error), error))?;
        Ok(Json(RotatedSecret { secret: shown(&app, &secret)?, warnings }))
    }
}

fn shown(app: &App, secret: &SigningSecret) -> Result<AccountSecret, ApiError> {
    let previous_until = secret.previous_until.filter(|end| *end > app.clock.now()).map(Shown);
    Ok(AccountSecret { secret: revealed(app, secret)?, previous_until })
}
