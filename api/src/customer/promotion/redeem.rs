//! Redeeming a code, exactly once whatever crashes in between.
//!
//! First a short transaction claims: it counts the promotion up and writes the redemption, which is then owed. Then the
//! vault is asked for the credits, under a reference that is the redemption's own, so that asking again changes nothing.
//! At last the redemption is marked as granted. Whoever finds one that is owed, a retry or the housekeeping, goes on there.

use std::collections::HashMap;

use entity::grant::GrantClass;
use entity::{AccountId, Credits, Mode, Timestamp, promotion, redemption};
use fail::fail_point;
use futures_util::future::join_all;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, DatabaseTransaction, DbErr, EntityTrait, ExprTrait,
    IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};

use crate::clock::Clock;
use crate::customer::caller::{By, Identity};
use crate::customer::credits::{self, NewGrant};
use crate::db::Db;
use crate::ledger::{Ledger, Refusal, read};

const DAY_SECONDS: i64 = 86_400;
/// A redemption that is owed for longer was left behind: whoever made it is not at it any more.
const OWED_SECONDS: i64 = 60;
/// Redemptions that are booked at once.
const PAGE: u64 = 100;

/// Gives what promotions promise.
#[derive(Clone, Copy, Debug)]
pub struct Cashier<'a> {
    pub db: &'a Db,
    pub ledger: &'a Ledger,
    pub clock: &'a Clock,
}

/// What a code gave.
#[derive(Clone, Debug)]
pub struct Redeemed {
    pub code: String,
    pub credits: Credits,
    /// When the credits end; `None` is never.
    pub expires_at: Option<Timestamp>,
    pub mode: Mode,
    /// What the account can spend now.
    pub available: Credits,
}

#[derive(Debug, thiserror::Error)]
pub enum RedeemError {
    /// Unknown, taken back, or of the other mode.
    #[error("no such promotion")]
    NotFound,
    #[error("this account has redeemed the promotion before")]
    AlreadyRedeemed,
    /// Its time is over, or it was redeemed as often as it may be.
    #[error("the promotion is over")]
    Over,
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Db(#[from] DbErr),
}

impl Cashier<'_> {
    /// Gives the credits of a [`super::normal`] code to the caller's account in the code's mode.
    pub async fn redeem(&self, code: &str, caller: &Identity) -> Result<Redeemed, RedeemError> {
        let promotion = promotion::Entity::find_by_id(code).one(self.db.read()).await?;
        let promotion = promotion.ok_or(RedeemError::NotFound)?;
        let account = self.account_of(caller, promotion.mode).await?.ok_or(RedeemError::NotFound)?;
        let redemption = self.claim(&promotion, account).await?;
        if redemption.granted_at.is_some() {
            return Err(RedeemError::AlreadyRedeemed);
        }
        fail_point!("redeem.claimed");
        self.give(&promotion, &redemption).await?;
        fail_point!("redeem.given");
        self.mark_granted(&[&redemption]).await?;
        self.redeemed(promotion, &redemption).await
    }

    /// A key has one account; a person has their customer's in either mode.
    async fn account_of(&self, caller: &Identity, mode: Mode) -> Result<Option<AccountId>, DbErr> {
        if caller.mode == mode {
            return Ok(Some(caller.account));
        }
        match caller.by {
            By::Key(_) => Ok(None),
            By::Session { .. } => {
                let account = read::account_of(self.db.read(), caller.customer, mode).await?;
                Ok(account.map(|account| account.id))
            }
        }
    }

    /// The account's redemption of this code: the one that it made before, or a new one if there is still one to be had.
    async fn claim(
        &self,
        promotion: &promotion::Model,
        account: AccountId,
    ) -> Result<redemption::Model, RedeemError> {
        let tx = self.db.begin().await?;
        let now = self.db.now(&tx, self.clock).await?;
        // Counted first: that waits for whoever redeems the same code, and what follows sees what they committed.
        let counted = count_up(&tx, &promotion.code, now).await?;
        let key = (promotion.code.clone(), account);
        if let Some(earlier) = redemption::Entity::find_by_id(key).one(&tx).await? {
            tx.rollback().await?;
            return Ok(earlier);
        }
        if !counted {
            tx.rollback().await?;
            let is_revoked = promotion.revoked_at.is_some();
            return Err(if is_revoked { RedeemError::NotFound } else { RedeemError::Over });
        }
        let (code, account_id) = (promotion.code.clone(), account);
        let row = redemption::Model { code, account_id, redeemed_at: now, granted_at: None };
        row.clone().into_active_model().insert(&tx).await?;
        tx.commit().await?;
        Ok(row)
    }

    /// Asks the vault for what was promised. Everything it asks for follows from the two rows, so it is the same every time.
    async fn give(
        &self,
        promotion: &promotion::Model,
        redemption: &redemption::Model,
    ) -> Result<(), Refusal> {
        let grant = NewGrant {
            class: GrantClass::Promotional,
            amount: promotion.credits,
            expires_at: ends(promotion, redemption),
            cost_basis: 0,
            reference: format!("promo:{}:{}", redemption.code, redemption.account_id),
        };
        credits::grant(self.ledger, self.clock, redemption.account_id, grant).await?;
        Ok(())
    }

    async fn mark_granted(&self, redemptions: &[&redemption::Model]) -> Result<(), DbErr> {
        if redemptions.is_empty() {
            return Ok(());
        }
        let which = redemptions.iter().fold(Condition::any(), |any, redemption| {
            let code = redemption::Column::Code.eq(redemption.code.as_str());
            any.add(code.and(redemption::Column::AccountId.eq(redemption.account_id)))
        });
        let tx = self.db.begin().await?;
        let now = self.db.now(&tx, self.clock).await?;
        redemption::Entity::update_many()
            .col_expr(redemption::Column::GrantedAt, Expr::value(now))
            .filter(redemption::Column::GrantedAt.is_null())
            .filter(which)
            .exec(&tx)
            .await?;
        tx.commit().await
    }

    async fn redeemed(
        &self,
        promotion: promotion::Model,
        redemption: &redemption::Model,
    ) -> Result<Redeemed, RedeemError> {
        let balance = read::balance(self.db.read(), redemption.account_id, self.clock.now()).await?;
        let available = balance.ok_or(Refusal::NoAccount)?.available;
        let expires_at = ends(&promotion, redemption);
        let promotion::Model { code, credits, mode, .. } = promotion;
        Ok(Redeemed { code, credits, expires_at, mode, available })
    }

    /// Gives what is owed since more than a minute: whoever claimed it crashed, or was told to try again and never did.
    pub async fn give_owed(&self) -> Result<(), DbErr> {
        let late = self.clock.now().plus_seconds(-OWED_SECONDS);
        let owed = redemption::Entity::find()
            .filter(redemption::Column::GrantedAt.is_null())
            .filter(redemption::Column::RedeemedAt.lt(late))
            .order_by_asc(redemption::Column::RedeemedAt)
            .limit(PAGE)
            .all(self.db.read())
            .await?;
        let promotions = self.promotions_of(&owed).await?;
        // All at once, so that the lane takes them in one batch.
        let given = join_all(owed.iter().map(|redemption| self.give_late(&promotions, redemption))).await;
        let given: Vec<&redemption::Model> = given.into_iter().flatten().collect();
        self.mark_granted(&given).await
    }

    async fn promotions_of(
        &self,
        owed: &[redemption::Model],
    ) -> Result<HashMap<String, promotion::Model>, DbErr> {
        let codes = owed.iter().map(|redemption| redemption.code.as_str());
        let named = promotion::Entity::find().filter(promotion::Column::Code.is_in(codes));
        let named = named.all(self.db.read()).await?;
        Ok(named.into_iter().map(|promotion| (promotion.code.clone(), promotion)).collect())
    }

    /// The redemption, if the vault gave its credits; one that it does not keeps no other waiting.
    async fn give_late<'r>(
        &self,
        promotions: &HashMap<String, promotion::Model>,
        redemption: &'r redemption::Model,
    ) -> Option<&'r redemption::Model> {
        let promotion = promotions.get(&redemption.code)?;
        let (code, account) = (&redemption.code, redemption.account_id);
        match self.give(promotion, redemption).await {
            Ok(()) => {
                tracing::info!(code, %account, "a promotion that was owed is given");
                Some(redemption)
            }
            Err(error) => {
                tracing::error!(code, %account, %error, "a promotion that is owed could not be given");
                None
            }
        }
    }
}

/// When the credits end, counted from the redemption and not from when they were booked.
fn ends(promotion: &promotion::Model, redemption: &redemption::Model) -> Option<Timestamp> {
    let seconds = promotion.grant_days?.saturating_mul(DAY_SECONDS);
    Some(redemption.redeemed_at.plus_seconds(seconds))
}

/// Counts one more redemption, unless the promotion is over or was taken back.
async fn count_up(tx: &DatabaseTransaction, code: &str, now: Timestamp) -> Result<bool, DbErr> {
    use promotion::Column;
    let lives = Condition::any().add(Column::ExpiresAt.is_null()).add(Column::ExpiresAt.gt(now));
    let counted = promotion::Entity::update_many()
        .col_expr(Column::Redemptions, Expr::col(Column::Redemptions).add(1_i64))
        .filter(Column::Code.eq(code))
        .filter(Expr::col(Column::Redemptions).lt(Expr::col(Column::RedemptionsMax)))
        .filter(Column::RevokedAt.is_null())
        .filter(lives)
        .exec(tx)
        .await?;
    Ok(counted.rows_affected > 0)
}
