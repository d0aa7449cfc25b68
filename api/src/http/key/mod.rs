//! `/api/keys` and `/api/key`: API keys, made and managed by a customer's people or by a management key.
//!
//! A secret leaves in the answer that makes it and never again.

mod all;
mod body;
mod form;
mod one;
mod own;
mod page;
mod view;

use std::collections::BTreeSet;

use entity::{KeyId, Mode, Timestamp, api_key, customer};
use poem_openapi::OpenApi;

pub use self::body::RotateBody;
use self::form::Bounds;
pub use self::form::overlap_s;
pub use self::view::Revealed;
use self::view::{KeyView, key_view};
use super::auth::{Caller, KeysManage};
use super::error::ApiError;
use crate::app::App;
use crate::customer::keyring::{self, Manager};
use crate::ledger::key_usage::{Usage, first_day, usage_of};
use crate::ledger::read;

/// All operations on keys. Those of one path are in one type: the description shows a path once.
pub fn operations() -> impl OpenApi {
    (all::All, one::One, own::Own)
}

/// Whose keys the caller manages: those of their account in the mode that they ask for, which a key can't choose.
async fn manager(app: &App, caller: &Caller<KeysManage>, mode: Option<Mode>) -> Result<Manager, ApiError> {
    let (customer, by) = (caller.customer, caller.by);
    let mode = mode.unwrap_or(caller.mode);
    if mode == caller.mode {
        return Ok(Manager { customer, account: caller.account, mode, by });
    }
    if caller.key().is_some() {
        return Err(ApiError::field(
            "mode",
            format!("Must be {}, the mode of your key", caller.mode.as_str()),
        ));
    }
    let account = read::account_of(app.db.read(), customer, mode).await;
    let account = account.map_err(|error| ApiError::database(crate::db::fault(&error), error))?;
    let missing = || ApiError::internal(anyhow::anyhow!("{customer} has no {} account", mode.as_str()));
    Ok(Manager { customer, account: account.ok_or_else(missing)?.id, mode, by })
}

/// A key's id; whatever is none names no key.
fn key_id(text: &str) -> Result<KeyId, ApiError> {
    text.parse().map_err(|_| ApiError::KeyNotFound)
}

/// Whose name a key is made in.
async fn owner(app: &App, caller: &Caller<KeysManage>) -> Result<customer::Model, ApiError> {
    Ok(keyring::owner(app.db.read(), caller.customer).await?)
}

/// What a form is held to.
fn bounds<'a>(app: &'a App, owner: &'a customer::Model) -> Bounds<'a> {
    Bounds { catalog: &app.video.catalog, group: &owner.price_group, now: app.clock.now() }
}

/// A key as it is shown, with what it has spent.
async fn view(app: &App, key: api_key::Model) -> Result<KeyView, ApiError> {
    let now = app.clock.now();
    let usage = usage(app, BTreeSet::from([key.id]), now).await?;
    Ok(key_view(key, &usage, now))
}

async fn usage(app: &App, keys: BTreeSet<KeyId>, now: Timestamp) -> Result<Usage, ApiError> {
    let usage = usage_of(app.db.read(), &keys, first_day(now)).await;
    usage.map_err(|error| ApiError::database(crate::db::fault(&error), error))
}
