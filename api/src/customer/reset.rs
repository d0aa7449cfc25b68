//! Links that let somebody choose a new password: good once, for an hour, and stored as a hash.

use entity::{Timestamp, UserId, password_reset};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, ExprTrait,
    IntoActiveModel, QueryFilter,
};
use secrecy::SecretString;
use web_session::Token;

const LIFETIME_SECONDS: i64 = 3_600;
/// How long a link that is over is kept.
const KEPT_SECONDS: i64 = 7 * 86_400;

/// Makes a link's token for a person.
pub async fn issue(tx: &DatabaseTransaction, user: UserId, now: Timestamp) -> Result<Token, DbErr> {
    let token = Token::random();
    let row = password_reset::Model {
        hash: token.hash(),
        user_id: user,
        created_at: now,
        expires_at: now.plus_seconds(LIFETIME_SECONDS),
        used_at: None,
    };
    row.into_active_model().insert(tx).await?;
    Ok(token)
}

/// The link as it is sent: the token is behind the `#`, which browsers keep to themselves, so no log ever sees it.
pub fn link(public_url: &str, token: &Token) -> SecretString {
    SecretString::from(format!("{public_url}/reset-password#token={}", token.expose()))
}

/// Whose link this is, if it is still good.
pub async fn owner(
    db: &impl ConnectionTrait,
    token: &Token,
    now: Timestamp,
) -> Result<Option<UserId>, DbErr> {
    let row = password_reset::Entity::find_by_id(token.hash()).one(db).await?;
    Ok(row.filter(|row| row.used_at.is_none() && row.expires_at > now).map(|row| row.user_id))
}

/// Uses a link up. False when it is no good (any more).
pub async fn take(tx: &DatabaseTransaction, token: &Token, now: Timestamp) -> Result<bool, DbErr> {
    let taken = password_reset::Entity::update_many()
        .col_expr(password_reset::Column::UsedAt, Expr::value(now))
        .filter(password_reset::Column::Hash.eq(token.hash()))
        .filter(password_reset::Column::UsedAt.is_null())
        .filter(password_reset::Column::ExpiresAt.gt(now))
        .exec(tx)
        .await?;
    Ok(taken.rows_affected > 0)
}

/// Makes every link of a person worthless.
pub async fn void_all(tx: &DatabaseTransaction, user: UserId, now: Timestamp) -> Result<(), DbErr> {
    let open = password_reset::Column::UserId.eq(user).and(password_reset::Column::UsedAt.is_null());
    password_reset::Entity::update_many()
        .col_expr(password_reset::Column::UsedAt, Expr::value(now))
        .filter(open)
        .exec(tx)
        .await?;
    Ok(())
}

/// Forgets links that have been over for a while.
pub async fn forget(tx: &DatabaseTransaction, now: Timestamp) -> Result<(), DbErr> {
    let old = password_reset::Column::ExpiresAt.lt(now.plus_seconds(-KEPT_SECONDS));
    password_reset::Entity::delete_many().filter(old).exec(tx).await?;
    Ok(())
}
