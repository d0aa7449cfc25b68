//! The second factor: codes of an authenticator app, and recovery codes for whoever lost it.
//!
//! The app's secret is derived from a master key, the person and a nonce: it is stored nowhere, so a stolen database opens
//! nothing. Every code is good once.

use entity::{Timestamp, UserId, recovery_code, user};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, ExprTrait, IntoActiveModel, QueryFilter,
};
use secrecy::{ExposeSecret, SecretString};
use web_session::totp;

use super::one_time;
use crate::secret::Subkey;

/// What the master keys are derived for.
pub const PURPOSE: &str = "totp";

/// What the standard recommends for SHA-1.
const SECRET_BYTES: usize = 20;
const RECOVERY_CODES: usize = 10;

/// The app's secret of a person who has begun. `None` also when its master key is gone.
pub fn secret(keys: &[Subkey], user: &user::Model) -> Option<[u8; SECRET_BYTES]> {
    let (id, nonce) = (user.totp_key.as_ref()?, user.totp_nonce.as_ref()?);
    derive(keys.iter().find(|key| key.id == *id)?, user.id, nonce)
}

fn derive(key: &Subkey, user: UserId, nonce: &[u8]) -> Option<[u8; SECRET_BYTES]> {
    key.sign(&[user.0.as_bytes(), nonce]).first_chunk().copied()
}

/// Begins with a fresh secret, which counts from its confirmation on. False when a confirmed one is there.
pub async fn begin(
    tx: &DatabaseTransaction,
    user: UserId,
    key: &Subkey,
) -> Result<Option<[u8; SECRET_BYTES]>, DbErr> {
    let nonce = rand::random::<[u8; 16]>();
    let begun = user::Entity::update_many()
        .col_expr(user::Column::TotpKey, Expr::value(key.id.clone()))
        .col_expr(user::Column::TotpNonce, Expr::value(nonce.to_vec()))
        .filter(user::Column::Id.eq(user).and(user::Column::TotpConfirmedAt.is_null()))
        .exec(tx)
        .await?;
    Ok(if begun.rows_affected > 0 { derive(key, user, &nonce) } else { None })
}

/// Turns the second factor on, after the first code has proved that the app has the secret. Answers with the recovery codes,
/// shown this once; `None` when somebody was faster, or began anew.
pub async fn confirm(
    tx: &DatabaseTransaction,
    user: &user::Model,
    step: i64,
    now: Timestamp,
) -> Result<Option<Vec<SecretString>>, DbErr> {
    let same = user::Column::TotpNonce.eq(user.totp_nonce.clone());
    let confirmed = user::Entity::update_many()
        .col_expr(user::Column::TotpConfirmedAt, Expr::value(now))
        .col_expr(user::Column::TotpStep, Expr::value(step))
        .filter(user::Column::Id.eq(user.id).and(user::Column::TotpConfirmedAt.is_null()).and(same))
        .exec(tx)
        .await?;
    if confirmed.rows_affected == 0 {
        return Ok(None);
    }
    new_recovery_codes(tx, user.id).await.map(Some)
}

async fn new_recovery_codes(tx: &DatabaseTransaction, user: UserId) -> Result<Vec<SecretString>, DbErr> {
    forget_recovery_codes(tx, user).await?;
    let codes: Vec<SecretString> = (0..RECOVERY_CODES).map(|_| one_time::generate()).collect();
    let rows = codes.iter().map(|code| {
        let hash = one_time::hash(code.expose_secret());
        recovery_code::Model { user_id: user, hash, used_at: None }.into_active_model()
    });
    recovery_code::Entity::insert_many(rows).exec_without_returning(tx).await?;
    Ok(codes)
}

/// The step of a code of the app, if it is one of now.
pub fn step(keys: &[Subkey], user: &user::Model, code: &str, now: Timestamp) -> Option<i64> {
    let now_s = u64::try_from(now.seconds()).ok()?;
    let step = totp::verify(&secret(keys, user)?, code, now_s)?;
    i64::try_from(step).ok()
}

/// Uses a step up. False when it, or a later one, was used before.
pub async fn take_step(tx: &DatabaseTransaction, user: UserId, step: i64) -> Result<bool, DbErr> {
    let is_new = user::Column::TotpStep.is_null().or(user::Column::TotpStep.lt(step));
    let taken = user::Entity::update_many()
        .col_expr(user::Column::TotpStep, Expr::value(step))
        .filter(user::Column::Id.eq(user).and(is_new))
        .exec(tx)
        .await?;
    Ok(taken.rows_affected > 0)
}

/// Uses a recovery code up. False when it is none, or was used before.
pub async fn take_recovery_code(
    tx: &DatabaseTransaction,
    user: UserId,
    code: &str,
    now: Timestamp,
) -> Result<bool, DbErr> {
    let own = recovery_code::Column::UserId.eq(user);
    let unused =
        recovery_code::Column::Hash.eq(one_time::hash(code)).and(recovery_code::Column::UsedAt.is_null());
    let taken = recovery_code::Entity::update_many()
        .col_expr(recovery_code::Column::UsedAt, Expr::value(now))
        .filter(own.and(unused))
        .exec(tx)
        .await?;
    Ok(taken.rows_affected > 0)
}

/// Turns the second factor off.
pub async fn remove(tx: &DatabaseTransaction, user: UserId) -> Result<(), DbErr> {
    forget_recovery_codes(tx, user).await?;
    user::Entity::update_many()
        .col_expr(user::Column::TotpKey, Expr::value(None::<String>))
        .col_expr(user::Column::TotpNonce, Expr::value(None::<Vec<u8>>))
        .col_expr(user::Column::TotpConfirmedAt, Expr::value(None::<i64>))
        .col_expr(user::Column::TotpStep, Expr::value(None::<i64>))
        .filter(user::Column::Id.eq(user))
        .exec(tx)
        .await?;
    Ok(())
}

async fn forget_recovery_codes(tx: &DatabaseTransaction, user: UserId) -> Result<(), DbErr> {
    let own = recovery_code::Column::UserId.eq(user);
    recovery_code::Entity::delete_many().filter(own).exec(tx).await?;
    Ok(())
}
