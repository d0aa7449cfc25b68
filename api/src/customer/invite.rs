//! Invitations: codes that admit customers, each for a number of uses.

use entity::{InviteId, Timestamp, invite};
use sea_orm::sea_query::{Expr, SimpleExpr};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, ExprTrait,
    IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};
use secrecy::{ExposeSecret, SecretString};

use super::one_time;
use crate::clock::Clock;

/// What tells an invitation from other codes at a glance.
const PREFIX: &str = "rm-";
const LISTED: u64 = 1_000;

#[derive(Clone, Debug)]
pub struct NewInvite {
    pub uses: u32,
    pub expires_at: Option<Timestamp>,
    /// For whom, or why.
    pub note: String,
    pub created_by: String,
}

/// Makes an invitation and answers with its code, which is shown this once.
pub async fn create(
    tx: &DatabaseTransaction,
    clock: &Clock,
    new: NewInvite,
) -> Result<(InviteId, SecretString), DbErr> {
    let id = InviteId(clock.new_id());
    let code = one_time::generate();
    let (first, _) = code.expose_secret().split_once('-').unwrap_or_default();
    let row = invite::Model {
        id,
        hash: one_time::hash(code.expose_secret()),
        hint: format!("{PREFIX}{first}-…"),
        note: new.note,
        uses_max: i64::from(new.uses),
        uses: 0,
        created_by: new.created_by,
        created_at: clock.now(),
        expires_at: new.expires_at,
        revoked_at: None,
    };
    row.into_active_model().insert(tx).await?;
    Ok((id, SecretString::from(format!("{PREFIX}{}", code.expose_secret()))))
}

/// Whether a code would admit somebody now.
pub async fn is_good(db: &impl ConnectionTrait, code: &SecretString, now: Timestamp) -> Result<bool, DbErr> {
    Ok(invite::Entity::find().filter(good(code, now)).one(db).await?.is_some())
}

/// Counts one use. False when the code admits nobody (any more): it can't be used more often than it may be, whatever the
/// concurrency.
pub async fn take(tx: &DatabaseTransaction, code: &SecretString, now: Timestamp) -> Result<bool, DbErr> {
    let taken = invite::Entity::update_many()
        .col_expr(invite::Column::Uses, Expr::col(invite::Column::Uses).add(1))
        .filter(good(code, now))
        .exec(tx)
        .await?;
    Ok(taken.rows_affected > 0)
}

fn good(code: &SecretString, now: Timestamp) -> SimpleExpr {
    let in_time = invite::Column::ExpiresAt.is_null().or(invite::Column::ExpiresAt.gt(now));
    let some_left = Expr::col(invite::Column::Uses).lt(Expr::col(invite::Column::UsesMax));
    invite::Column::Hash
        .eq(hash(code.expose_secret()))
        .and(invite::Column::RevokedAt.is_null())
        .and(in_time)
        .and(some_left)
}

/// With or without the prefix.
fn hash(code: &str) -> Vec<u8> {
    let code = code.trim();
    let has_prefix = code.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX));
    one_time::hash(if has_prefix { &code[PREFIX.len()..] } else { code })
}

/// The newest first.
pub async fn list(db: &impl ConnectionTrait) -> Result<Vec<invite::Model>, DbErr> {
    invite::Entity::find().order_by_desc(invite::Column::Id).limit(LISTED).all(db).await
}

/// Takes an invitation back; whom it admitted stays. False when there is no such invitation.
pub async fn revoke(tx: &DatabaseTransaction, id: InviteId, now: Timestamp) -> Result<bool, DbErr> {
    let Some(invite) = invite::Entity::find_by_id(id).one(tx).await? else { return Ok(false) };
    let revoked_at = invite.revoked_at.or(Some(now));
    let mut invite = invite.into_active_model();
    invite.revoked_at = sea_orm::Set(revoked_at);
    invite.update(tx).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_with_and_without_its_prefix() {
        for text in ["rm-7Q2K-M4XD-0R1B-9WHC", "RM-7q2k-m4xd-0r1b-9whc", " 7Q2K-M4XD-0R1B-9WHC "] {
            assert_eq!(hash(text), one_time::hash("7Q2KM4XD0R1B9WHC"), "{text}");
        }
        assert_ne!(hash("é"), hash(""));
    }
}
